"""Results beside their run: kept, read again, and measured anew as soon as anything that they depend on changes."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from spatialvae.comparison.cached_evaluation import evaluated, network_hashes
from spatialvae.config import EvaluationConfig
from spatialvae.errors import UserError
from spatialvae.metrics import Evaluation
from spatialvae.metrics.latent.probe import ProbeDetails
from spatialvae.metrics.measurement import Measurement
from tests.metrics.networks import feature_file
from tests.metrics.results import health, provenance
from tests.training.tiny import tiny_data

module: Any = importlib.import_module("spatialvae.comparison.cached_evaluation")
NONE: dict[str, str | None] = {"features": None, "lpips": None}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run, as far as its results need it."""
    run = tmp_path / "my run"
    run.mkdir()
    (run / "model.safetensors").write_bytes(b"weights")
    (run / "prior-gaussian.safetensors").write_bytes(b"prior")
    return run


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[EvaluationConfig]:
    """The settings that something was measured with; the k-th result is k everywhere."""
    seen: list[EvaluationConfig] = []

    def evaluate(_: object, __: object, config: EvaluationConfig, *, progress: bool) -> Evaluation:
        seen.append(config)
        measured = Measurement.of("mse", torch.full((4,), float(len(seen))), ProbeDetails(2, 12, 0.5))
        other = Measurement(health=health(kl=1.5), warnings=("few images",), failed={"probe": "one label"})
        return Evaluation.of(measured | other, provenance(split=config.split))

    monkeypatch.setattr(module, "evaluate", evaluate)
    return seen


def measure(
    folder: Path,
    config: EvaluationConfig | None = None,
    networks: dict[str, str | None] | None = None,
    fingerprint: str = "0a",
) -> Evaluation:
    model: Any = SimpleNamespace(priors={"gaussian": None})
    data = replace(tiny_data(fingerprint), source="digits")
    return evaluated(folder, model, data, config or EvaluationConfig(), networks or NONE, False)


def test_what_is_measured_once_is_read(folder: Path, measured: list[EvaluationConfig]) -> None:
    first, second = measure(folder), measure(folder)
    assert len(measured) == 1
    assert first.values["mse"].equal(second.values["mse"])
    assert replace(first, values={}) == replace(second, values={})
    assert (first.metrics["mse"].value, first.health, first.warnings) == (1.0, health(kl=1.5), ("few images",))
    assert first.provenance.details == {"mse": {"classes": 2, "train_images": 12, "largest_class": 0.5}}
    assert first.failed == {"probe": "one label"}
    assert sorted(path.name for path in folder.iterdir()) == [
        "evaluation.json",
        "evaluation.safetensors",
        "model.safetensors",
        "prior-gaussian.safetensors",
    ]


def change_weights(folder: Path, _: pytest.MonkeyPatch) -> dict[str, Any]:
    (folder / "model.safetensors").write_bytes(b"other")
    return {}


def lose_prior(folder: Path, _: pytest.MonkeyPatch) -> dict[str, Any]:
    (folder / "prior-gaussian.safetensors").unlink()
    return {}


def other_version(_: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(module, "__version__", "99")
    return {}


def damaged_numbers(folder: Path, _: pytest.MonkeyPatch) -> dict[str, Any]:
    (folder / "evaluation.json").write_text("{")
    return {}


def numbers_of_before(folder: Path, _: pytest.MonkeyPatch) -> dict[str, Any]:
    (folder / "evaluation.json").write_text(json.dumps({"basis": {}, "metrics": {}}))
    return {}


def of_the_first_images(folder: Path, _: pytest.MonkeyPatch) -> dict[str, Any]:
    stored = json.loads((folder / "evaluation.json").read_text())
    del stored["failed"]  # such files were written when limits took the first images
    (folder / "evaluation.json").write_text(json.dumps(stored))
    return {}


def damaged_values(folder: Path, _: pytest.MonkeyPatch) -> dict[str, Any]:
    (folder / "evaluation.safetensors").write_bytes(b"\0" * 20)
    return {}


def no_values(folder: Path, _: pytest.MonkeyPatch) -> dict[str, Any]:
    (folder / "evaluation.safetensors").unlink()
    return {}


CHANGES: list[Callable[[Path, pytest.MonkeyPatch], dict[str, Any]]] = [
    change_weights,
    lose_prior,
    other_version,
    damaged_numbers,
    numbers_of_before,
    of_the_first_images,
    damaged_values,
    no_values,
    lambda *_: {"fingerprint": "0b"},
    lambda *_: {"config": EvaluationConfig(split="validation")},
    lambda *_: {"config": EvaluationConfig(metrics="mse")},
    lambda *_: {"config": EvaluationConfig(importance_samples=65)},
    lambda *_: {"networks": {**NONE, "features": "beef"}},
    lambda *_: {"networks": {**NONE, "lpips": "beef"}},
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_measured_again(
    folder: Path,
    measured: list[EvaluationConfig],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path, pytest.MonkeyPatch], dict[str, Any]],
) -> None:
    measure(folder)
    options = change(folder, monkeypatch)
    for _ in range(2):  # again, and then read
        evaluation = measure(folder, **options)
        assert (evaluation.metrics["mse"].value, len(measured)) == (2.0, 2)
        assert evaluation.values["mse"].tolist() == [2.0] * 4


def test_values_never_stand_beside_numbers_of_another_evaluation(
    folder: Path, measured: list[EvaluationConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure(folder)
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            measure(folder, EvaluationConfig(split="validation"))
    evaluation = measure(folder)
    assert evaluation.values["mse"].tolist() == [3.0] * 4
    assert evaluation.metrics["mse"].value == 3.0


def test_a_moved_run_tells_its_new_place(folder: Path, measured: list[EvaluationConfig]) -> None:
    config = EvaluationConfig(metrics="nll,mse", split="validation", importance_samples=8)
    line = "--metrics nll,mse --split validation --importance-samples 8"
    assert measure(folder, config).command == f"spatialvae evaluate '{folder}' {line}"
    moved = folder.rename(folder.parent / "there")
    evaluation = measure(moved, config)
    assert evaluation.command == f"spatialvae evaluate {moved} {line}"
    assert json.loads((moved / "evaluation.json").read_text())["command"] == evaluation.command
    assert len(measured) == 1
    assert replace(evaluation, values={}) == replace(measure(moved, config), values={})


def test_results_of_arrays_in_memory_have_no_command(folder: Path, measured: list[EvaluationConfig]) -> None:
    model: Any = SimpleNamespace(priors={})
    for _ in range(2):
        assert evaluated(folder, model, tiny_data("0a"), EvaluationConfig(), NONE, False).command is None
    assert len(measured) == 1


def test_results_of_a_newer_version_are_refused(folder: Path, measured: list[EvaluationConfig]) -> None:
    measure(folder)
    content = json.loads((folder / "evaluation.json").read_text())
    assert content["format"] == 1
    (folder / "evaluation.json").write_text(json.dumps({**content, "format": 2}))
    with pytest.raises(UserError, match=r"evaluation\.json has format 2, and spatialvae .* reads formats up to 1"):
        measure(folder)


def test_networks_are_known_by_their_content(tmp_path: Path) -> None:
    path = feature_file(tmp_path)
    result = network_hashes(EvaluationConfig(features=str(path)), (8, 8))
    assert result == {"features": hashlib.sha256(path.read_bytes()).hexdigest(), "lpips": None}
