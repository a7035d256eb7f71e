"""The metrics of the codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from spatialvae.metrics.base import METRICS, AbstractModelMetric, Better, Group, Need, Quantity, Read

if TYPE_CHECKING:
    from spatialvae.metrics.measurement import Measurement
    from spatialvae.metrics.subjects import ModelOnSplit

__all__ = ["Health", "LinearProbe"]


@METRICS.register("health")
@dataclass(frozen=True)
class Health(AbstractModelMetric):
    """The latent's health, and two numbers of it that stand among the metrics."""

    group: ClassVar[Group] = "latent"
    reads: ClassVar[frozenset[Read]] = frozenset()

    @classmethod
    def quantities(cls, name: str) -> tuple[Quantity, ...]:
        active = "whose mean varies over images by more than 0.01"
        share = "of a mean map's energy in its best rank-1 approximation"
        return (
            Quantity("active_units", "active numbers", "of the code", "", cls.group, active),
            Quantity("rank_one_share", "rank-1 share", "share", "", cls.group, share),
        )

    def measure(self, subject: ModelOnSplit) -> Measurement:
        from spatialvae.metrics.latent.health import measure_health

        return measure_health(subject)


@METRICS.register("probe")
@dataclass(frozen=True)
class LinearProbe(AbstractModelMetric):
    """How much of the labels a linear classifier reads from the codes."""

    title: ClassVar[str] = "linear probe"
    unit: ClassVar[str] = "accuracy"
    better: ClassVar[Better] = "higher"
    group: ClassVar[Group] = "latent"
    meaning: ClassVar[str] = "of the labels, by logistic regression on the mean codes"
    needs: ClassVar[frozenset[Need]] = frozenset({"model", "labels"})
    reads: ClassVar[frozenset[Read]] = frozenset()

    def measure(self, subject: ModelOnSplit) -> Measurement:
        from spatialvae.metrics.latent.probe import measure_probe

        return measure_probe(subject)
