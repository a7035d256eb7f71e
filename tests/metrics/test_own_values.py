"""Metrics of one's own with one value an image: what they may give, and what becomes of those that fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from torch import Tensor

from spatialvae.config import EvaluationConfig
from spatialvae.errors import UserError
from spatialvae.metrics import (
    METRICS,
    AbstractCodeMetric,
    AbstractModelMetric,
    AbstractPairMetric,
    AbstractSampleMetric,
    describe,
    evaluate,
)
from spatialvae.metrics.base import Better, Group, Quantity
from spatialvae.metrics.catalogue import quantities
from spatialvae.metrics.selection import select
from tests.metrics.measured import data_of, small, split


@dataclass(frozen=True)
class Ends(AbstractCodeMetric):
    """The first and the last number of the mean code: two quantities, whose names are always the same."""

    scale: float = 1.0
    most: int = 250
    """Images of a batch, above or below which it fails."""
    group: ClassVar[Group] = "latent"

    @classmethod
    def quantities(cls, name: str) -> tuple[Quantity, ...]:
        return tuple(Quantity(one, one, "1", "", cls.group, "of the mean code") for one in ("first", "last"))

    def measure(self, batch: Any) -> Mapping[str, Tensor]:
        codes = batch.posterior.mean.flatten(1)
        first = {"first": codes[:, 0], "last": codes[:, -1]}
        if len(codes) < self.most:
            raise UserError("these are too few images")
        return first


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten afterwards."""
    monkeypatch.setattr(METRICS, "_parts", dict(METRICS))


def test_a_failure_on_a_later_batch_leaves_no_values_of_earlier_ones() -> None:
    METRICS.register("ends")(Ends)
    evaluation = evaluate(small(), data_of(split(260)), metrics="ends,mse")
    assert dict(evaluation.failed) == {"ends": "these are too few images"}
    assert set(evaluation.metrics) == set(evaluation.values) == {"mse"}
    assert evaluation.metrics["mse"].n == 260


def test_one_quantity_of_two_specs_is_refused() -> None:
    METRICS.register("ends")(Ends)
    assert list(select(EvaluationConfig(metrics="ends:scale=2"))) == ["ends:scale=2.0"]
    with pytest.raises(UserError, match=r"The metrics ends and ends:scale=2\.0 both give 'first'"):
        select(EvaluationConfig(metrics="ends,ends:scale=2"))


def test_one_quantity_of_two_metrics_is_refused() -> None:
    METRICS.register("ends")(Ends)

    @METRICS.register("edges")
    @dataclass(frozen=True)
    class Edges(Ends):
        """The same names again."""

    with pytest.raises(UserError, match="The metrics ends and edges both give 'first'"):
        select(EvaluationConfig(metrics="edges,ends"))
    with pytest.raises(UserError, match="The metrics ends and edges both give 'first'"):
        quantities()


@dataclass(frozen=True)
class Own(AbstractPairMetric):
    """Whatever `give` makes of the images."""

    title: ClassVar[str] = "own"
    unit: ClassVar[str] = "1"
    better: ClassVar[Better] = ""
    meaning: ClassVar[str] = "of the images"
    give: ClassVar[Callable[[Tensor], Any]]

    def measure(self, pairs: Any) -> Tensor:
        return type(self).give(pairs.images.double())


def broken(_: Tensor) -> Tensor:
    raise KeyError("weights")


@pytest.mark.parametrize(
    ("give", "words"),
    [
        (lambda images: images.mean(), "own has the shape [] and not [12], one value an image."),
        (lambda images: images.mean((2, 3)), "own has the shape [12, 1] and not [12], one value an image."),
        (lambda images: images.mean((1, 2, 3))[:5], "own has the shape [5] and not [12], one value an image."),
        (lambda images: images.mean().item(), "own is a float and not a tensor [12], one value an image."),
        (broken, "KeyError: 'weights'"),
    ],
)
def test_a_mistake_in_a_metric_of_ones_own_fails_it_alone(give: Callable[[Tensor], Any], words: str) -> None:
    METRICS.register("own")(type("Given", (Own,), {"give": staticmethod(give), "__module__": "somebody.elses"}))
    evaluation = evaluate(small(), data_of(split()), metrics="own,mse")
    assert dict(evaluation.failed) == {"own": words}
    assert set(evaluation.metrics) == {"mse"}


@dataclass(frozen=True)
class OfModel(AbstractModelMetric):
    """It divides by nothing."""

    title: ClassVar[str] = "of the model"
    unit: ClassVar[str] = "1"
    better: ClassVar[Better] = ""
    group: ClassVar[Group] = "latent"
    meaning: ClassVar[str] = "of nothing"

    def measure(self, subject: Any) -> Any:
        return 1 / (subject.count - subject.count)


@dataclass(frozen=True)
class OfSamples(AbstractSampleMetric):
    """It is not written yet."""

    title: ClassVar[str] = "of samples"
    unit: ClassVar[str] = "1"
    better: ClassVar[Better] = ""
    meaning: ClassVar[str] = "of nothing"

    def measure(self, samples: Any) -> Any:
        raise NotImplementedError


def test_so_does_one_of_the_model_and_one_of_samples() -> None:
    METRICS.register("of-model")(OfModel)
    METRICS.register("of-samples")(OfSamples)
    evaluation = evaluate(small(), data_of(split()), metrics="of-model,of-samples,mse", generated=4)
    assert dict(evaluation.failed) == {
        "of-model": "ZeroDivisionError: division by zero",
        "of-samples/standard": "NotImplementedError",
    }
    assert set(evaluation.metrics) == {"mse"}


@dataclass(frozen=True)
class Named(AbstractPairMetric):
    """A metric whose option may hold a slash."""

    file: str = "none"
    title: ClassVar[str] = "distance"
    unit: ClassVar[str] = "1"
    better: ClassVar[Better] = "lower"
    meaning: ClassVar[str] = "to what a file holds"

    def measure(self, pairs: Any) -> Tensor:
        return pairs.images.double().flatten(1).mean(1)


def test_a_slash_of_an_option_is_none_of_the_key() -> None:
    METRICS.register("named")(Named)
    evaluation = evaluate(small(), data_of(split()), metrics="named:file=a/b%2F.pt,mse")
    assert set(evaluation.metrics) == {"named:file=a%2Fb%252F.pt", "mse"}
    assert describe("named:file=a%2Fb%252F.pt").title == "distance (file=a/b%2F.pt)"
    assert "named:file=a" in repr(evaluation)


def test_keys_that_fail_fail_their_metric_alone() -> None:
    @METRICS.register("keyless")
    @dataclass(frozen=True)
    class Keyless(AbstractModelMetric):
        title: ClassVar[str] = "nothing"
        unit: ClassVar[str] = "1"
        better: ClassVar[Better] = ""
        group: ClassVar[Group] = "latent"
        meaning: ClassVar[str] = "of nothing"

        def keys(self, subject: Any) -> list[str]:
            raise KeyError("power")

        def measure(self, subject: Any) -> Any:
            raise AssertionError

    evaluation = evaluate(small(), data_of(split()), metrics="keyless,mse")
    assert dict(evaluation.failed) == {"keyless": "KeyError: 'power'"}
    assert set(evaluation.metrics) == {"mse"}
