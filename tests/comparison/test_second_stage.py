"""Priors with a network in a comparison: trained as long as told, measured, and not trained again."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from spatialvae.comparison import ComparisonSettings, run_comparison
from spatialvae.config import CompareConfig, EvaluationConfig
from spatialvae.errors import UserError
from spatialvae.training import read_journal
from tests.metrics.networks import feature_file
from tests.training.tiny import settings, tiny_data

fit: Any = importlib.import_module("spatialvae.fitting.fit")
cost: Any = importlib.import_module("spatialvae.comparison.cost")

FLOW = "flow:couplings=2,width=16"


@pytest.mark.filterwarnings("ignore:.* is longer than the run")  # the warm-up of a prior that sees 500 codes
def test_networks_are_trained_as_long_as_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "GENERATED", 5)
    evaluation = EvaluationConfig(
        metrics="frechet", features=str(feature_file(tmp_path)), generated=20, prior=["standard", FLOW]
    )
    wanted = CompareConfig(latent=["naive"], seeds=1, prior_images=500)
    messages: list[str] = []
    for _ in range(2):
        comparison = run_comparison(
            ComparisonSettings(wanted, settings(), evaluation),
            tiny_data(),
            tmp_path / "out",
            progress=False,
            say=messages.append,
        ).as_dict()
        metrics = comparison["models"][0]["metrics"]
        assert {"frechet/standard", f"frechet/{FLOW}", "frechet/reconstructions"} <= metrics.keys()
    assert messages.count(f"fitting {FLOW}") == 1
    (folder,) = (tmp_path / "out/naive/beta-1/seed-0/priors").iterdir()
    assert read_journal(folder / "metrics.jsonl")[-1]["images"] == 500


def test_a_prior_that_cannot_be_fitted_loses_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "GENERATED", 5)

    def diverged(*_: object, **__: object) -> None:
        raise UserError("The loss is not finite.\nTry a smaller rate.")

    monkeypatch.setattr(fit, "train_prior", diverged)
    evaluation = EvaluationConfig(metrics="prior_gain,mse", prior=["standard", FLOW, "gaussian"])
    wanted = CompareConfig(latent=["naive", "vector"], seeds=1)
    comparison = run_comparison(
        ComparisonSettings(wanted, settings(), evaluation), tiny_data(), tmp_path / "out", progress=False
    ).as_dict()
    for model in comparison["models"]:
        assert set(model["metrics"]) == {"mse", "prior_gain/gaussian"}
        why = "The loss is not finite. Try a smaller rate."
        assert f"{model['latent']}, seed 0: no {FLOW} prior: {why}" in comparison["warnings"]
    assert "The loss is not finite" in (tmp_path / "out" / "report.md").read_text()
    assert {"samples-standard", "samples-gaussian"} <= set(comparison["figures"])
