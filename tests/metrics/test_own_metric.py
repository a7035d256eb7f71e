"""A metric from a file outside the package is measured, stored, read again, and described in a report."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spatialvae.comparison.cached_evaluation import evaluated
from spatialvae.config import EvaluationConfig
from spatialvae.errors import UserError
from spatialvae.metrics import METRICS, describe, evaluate
from spatialvae.metrics.selection import select
from spatialvae.plugins import load_plugin
from tests.metrics.measured import data_of, small, split
from tests.metrics.networks import feature_file

FILE = """
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from spatialvae.metrics import METRICS, AbstractFeatureMetric, AbstractModelMetric, AbstractPairMetric, Estimate
from spatialvae.metrics import Measurement


@METRICS.register("error")
@dataclass(frozen=True)
class PowerError(AbstractPairMetric):
    power: float = 1.0
    title: ClassVar[str] = "power error"
    unit: ClassVar[str] = "of 0 to 1"
    better: ClassVar[str] = "lower"
    meaning: ClassVar[str] = "between image and reconstruction"

    def measure(self, pairs):
        apart = (pairs.images.double() - pairs.reconstructions.double()).abs() / 255
        return apart.pow(self.power).mean((1, 2, 3))


@METRICS.register("shift")
@dataclass(frozen=True)
class Shift(AbstractFeatureMetric):
    title: ClassVar[str] = "shift"
    unit: ClassVar[str] = "features"
    better: ClassVar[str] = "lower"
    meaning: ClassVar[str] = "between the means of the features"

    def measure(self, sets):
        apart = (sets.features.mean(0) - sets.real.mean(0)).norm().item()
        return Estimate(apart, None, len(sets.features))


@METRICS.register("spread")
@dataclass(frozen=True)
class Spread(AbstractModelMetric):
    title: ClassVar[str] = "spread"
    unit: ClassVar[str] = "1"
    better: ClassVar[str] = ""
    group: ClassVar[str] = "latent"
    meaning: ClassVar[str] = "of the prior's draws"

    def measure(self, subject):
        return Measurement.of(subject.key, subject.model.prior().sample(torch.Size([subject.count])).flatten(1).std(1))
"""


@pytest.fixture(autouse=True)
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file's metrics, forgotten afterwards."""
    monkeypatch.setattr(METRICS, "_parts", dict(METRICS))
    path = tmp_path / "own_metrics.py"
    path.write_text(FILE)
    name = load_plugin(str(path)).__name__
    yield
    del sys.modules[name]


def test_it_is_measured_with_its_options(tmp_path: Path) -> None:
    model, images = small(), split()
    metrics = "error:power=2,mse,error,shift,spread"
    evaluation = evaluate(model, data_of(images), metrics=metrics, features=str(feature_file(tmp_path)), generated=20)
    assert not evaluation.failed
    assert set(evaluation.metrics) == {
        "mse",
        "error",
        "error:power=2.0",
        "shift/standard",
        "shift/reconstructions",
        "spread",
    }
    assert evaluation.values["error:power=2.0"].allclose(evaluation.values["mse"])
    pictures = model.reconstruct(torch.from_numpy(images.images)).double()
    expected = (pictures - torch.from_numpy(images.images).double()).abs().mean() / 255
    assert evaluation.metrics["error"].value == pytest.approx(expected.item(), rel=0.01)


def test_the_others_keep_their_numbers() -> None:
    model, data = small(), data_of(split())
    alone = evaluate(model, data, metrics="bound,nll").metrics
    beside = evaluate(model, data, metrics="bound,error,nll,spread").metrics
    assert (alone["elbo"], alone["nll"]) == (beside["elbo"], beside["nll"])


def test_it_is_stored_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    config = EvaluationConfig(metrics="error:power=3,mse")
    networks: dict[str, str | None] = {"features": None, "lpips": None}
    model = small()
    first = evaluated(tmp_path, model, data_of(split()), config, networks, False)
    assert "error:power=3.0" in json.loads((tmp_path / "evaluation.json").read_text())["metrics"]
    monkeypatch.setattr("spatialvae.comparison.cached_evaluation.evaluate", None)
    again = evaluated(tmp_path, model, data_of(split()), config, networks, False)
    assert again.metrics == first.metrics
    assert again.values["error:power=3.0"].equal(first.values["error:power=3.0"])


def test_it_is_measured_again_when_its_file_or_its_options_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    measured: list[str] = []
    monkeypatch.setattr(
        "spatialvae.comparison.cached_evaluation.evaluate",
        lambda model, data, config, progress: measured.append(config.metrics) or evaluate(model, data, config),
    )
    model, data = small(), replace(data_of(split()), source="digits")

    def again(metrics: str) -> str:
        config = EvaluationConfig(metrics=metrics)
        return evaluated(tmp_path, model, data, config, {"features": None, "lpips": None}, False).command or ""

    for metrics in ("error", "error", "mse", "mse", "default", "default"):
        line = again(metrics)
    assert measured == ["error", "mse", "default"]
    assert line == f"spatialvae evaluate {tmp_path} --plugin {tmp_path / 'own_metrics.py'}"
    (tmp_path / "own_metrics.py").write_text(FILE.replace("/ 255", "/ 2"))
    assert (again("default"), len(measured)) == (line, 4)
    basis = json.loads((tmp_path / "evaluation.json").read_text())["basis"]
    assert list(basis["metrics"]) == ["error", "spread"]  # "shift" wants features
    assert all(len(digest) == 64 for digest in basis["metrics"].values())


def test_objects_are_taken_as_well_as_texts() -> None:
    model, data = small(), data_of(split())
    error, mse = METRICS.parse("error:power=2"), METRICS.parse("mse")
    assert set(evaluate(model, data, metrics=[error, mse, "spread"]).metrics) == {"error:power=2.0", "mse", "spread"}
    assert set(evaluate(model, data, metrics=error).metrics) == {"error:power=2.0"}
    nameless = type("Nameless", (type(error),), {})
    with pytest.raises(UserError, match="Nameless has no name among the metrics"):
        evaluate(model, data, metrics=[nameless()])


def test_its_words() -> None:
    assert describe("error:power=2").title == "power error (power=2)"
    assert describe("shift/mixture:components=3").title == "shift, samples from the fitted mixture (components=3)"
    assert describe("spread").group == "latent"


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ("error:power=much", "power is a finite number"),
        ("error:pwoer=2", "Did you mean 'power'?"),
        ("shift", "it needs a feature network"),
        ("erorr", "There is no metric 'erorr'. Did you mean 'error'?"),
    ],
)
def test_bad_input(metrics: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        select(EvaluationConfig(metrics=metrics))
    assert words in str(caught.value)


def test_a_name_of_another_metric_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "taken.py"
    path.write_text(FILE.replace('"error"', '"mse"'))
    with pytest.raises(UserError, match="The metric 'mse' is registered already"):
        load_plugin(str(path))
