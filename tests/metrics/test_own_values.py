"""Metrics of one's own with one value an image: what they may give, and what becomes of those that fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from torch import Tensor

from spatialvae.config import EvaluationConfig
from spatialvae.errors import UserError
from spatialvae.metrics import METRICS, AbstractCodeMetric, evaluate
from spatialvae.metrics.base import Group, Quantity
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
