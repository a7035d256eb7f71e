"""A metric that fails at the end of a comparison costs no finished work; what cannot work is told at the beginning."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spatialvae.comparison import ComparisonSettings, run_comparison
from spatialvae.config import CompareConfig, EvaluationConfig
from spatialvae.errors import UserError
from spatialvae.training import loop
from spatialvae.training.divergence import Diverged
from tests.metrics.script_files import OneSize, saved
from tests.training.tiny import settings, tiny_data

evaluate: Any = importlib.import_module("spatialvae.metrics.latent.health")
compare: Any = importlib.import_module("spatialvae.comparison.compare")


def test_a_metric_that_fails_is_told_and_the_rest_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UserError("The codes have no spread.")

    monkeypatch.setattr(evaluate, "latent_health", fail)
    wanted, evaluation = CompareConfig(latent=["vector", "naive"], seeds=1), EvaluationConfig(metrics="mse,health")
    comparison = run_comparison(
        ComparisonSettings(wanted, settings(), evaluation), tiny_data(), tmp_path, progress=False
    ).as_dict()
    for model in comparison["models"]:
        assert set(model["metrics"]) == {"mse"}
        assert set(model["runs"][0]["failed"]) == {"health"}
        assert any(f"{model['latent']}, seed 0: health failed: " in line for line in comparison["warnings"])
    for name in ("report.md", "report.html"):
        assert "health failed" in (tmp_path / name).read_text()


def test_data_of_one_class_finishes_without_a_probe(tmp_path: Path) -> None:
    labelled = {
        name: replace(split, labels=np.zeros(len(split), np.int64)) for name, split in tiny_data().splits.items()
    }
    data = replace(tiny_data(), splits=labelled, label_names=["digit"])
    wanted, evaluation = CompareConfig(latent=["vector"], seeds=1), EvaluationConfig(nll_images=10)
    comparison = run_comparison(
        ComparisonSettings(wanted, settings(images=20), evaluation), data, tmp_path / "out", progress=False
    ).as_dict()
    warnings = [warning for warning in comparison["warnings"] if not warning.startswith("linear baselines")]
    assert warnings == ["no linear probe: all training images with a label have one label, 'digit'"]
    assert "probe" not in comparison["models"][0]["metrics"] and "elbo" in comparison["models"][0]["metrics"]


def test_a_network_that_takes_no_images_is_told_before_any_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "train_step", None)
    wanted = CompareConfig(latent=["vector"], seeds=1)
    path = str(saved(OneSize(33), tmp_path / "odd.pt"))
    with pytest.raises(UserError, match="odd takes no uint8 images"):
        run_comparison(
            ComparisonSettings(wanted, settings(), EvaluationConfig(features=path)),
            tiny_data(),
            tmp_path / "out",
            progress=False,
        )


def test_a_prior_of_too_many_components_is_told_before_any_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "train_step", None)
    wanted, asked = CompareConfig(latent=["vector"], seeds=1), EvaluationConfig(prior=["mixture:components=61"])
    with pytest.raises(UserError, match="use at most components=60"):
        run_comparison(ComparisonSettings(wanted, settings(), asked), tiny_data(), tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_a_training_that_diverges_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = compare.train_stage

    def train(stage: Any, out: Path, **options: Any) -> Any:
        if stage.config.model.latent == "vector":
            raise Diverged("The loss is not finite at step 3.\nNothing is stored yet.")
        return real(stage, out, **options)

    monkeypatch.setattr(compare, "train_stage", train)
    messages: list[str] = []
    both = ComparisonSettings(
        CompareConfig(latent=["vector", "naive"], seeds=1), settings(), EvaluationConfig(metrics="mse")
    )
    with pytest.raises(Diverged) as caught:
        run_comparison(both, tiny_data(), tmp_path, progress=False, say=messages.append)
    message = str(caught.value)
    assert message.startswith("The training of vector, beta 1, seed 0 diverged; all others are trained and measured")
    assert (
        "learning_rate 0.0003" in message
        and message.count("\n") == 1
        and "The loss is not finite at step 3." in messages
    )
    monkeypatch.setattr(compare, "train_stage", real)
    alone = replace(both, plan=CompareConfig(latent=["naive"], seeds=1))
    before = (tmp_path / "naive" / "beta-1" / "seed-0" / "metrics.jsonl").read_text()
    assert set(run_comparison(alone, tiny_data(), tmp_path, progress=False).as_dict()["models"][0]["metrics"]) == {
        "mse"
    }
    assert (tmp_path / "naive" / "beta-1" / "seed-0" / "metrics.jsonl").read_text() == before
