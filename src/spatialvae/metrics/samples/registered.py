"""The metrics of sets of images, such as the samples of a prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from spatialvae.metrics.base import (
    DRAWN,
    METRICS,
    AbstractFeatureMetric,
    AbstractModelMetric,
    AbstractSampleMetric,
    Better,
    Group,
    Need,
    Read,
)

if TYPE_CHECKING:
    from spatialvae.estimate import Estimate
    from spatialvae.metrics.measurement import Measurement
    from spatialvae.metrics.subjects import FeatureSets, ModelOnSplit, SampleSet

__all__ = [
    "Coverage",
    "Density",
    "FrechetDistance",
    "InterpolatedFrechetDistance",
    "KernelDistance",
    "Parzen",
    "Precision",
    "Recall",
]


@METRICS.register("frechet")
@dataclass(frozen=True)
class FrechetDistance(AbstractFeatureMetric):
    """The Fréchet distance between Gaussians, the FID on the features of Inception."""

    title: ClassVar[str] = "Fréchet distance"
    unit: ClassVar[str] = "squared"
    better: ClassVar[Better] = "lower"
    meaning: ClassVar[str] = "between Gaussians fitted to the features of both sets"

    def measure(self, sets: FeatureSets) -> Estimate:
        from spatialvae.metrics.samples.frechet import frechet

        return frechet(sets.features, sets.real, seed=sets.seed)


@METRICS.register("interpolated_frechet")
@dataclass(frozen=True)
class InterpolatedFrechetDistance(AbstractModelMetric):
    """The Fréchet distance of pictures halfway between the codes of two neighbouring images."""

    title: ClassVar[str] = "interpolated Fréchet distance"
    unit: ClassVar[str] = "squared"
    better: ClassVar[Better] = "lower"
    group: ClassVar[Group] = "samples"
    meaning: ClassVar[str] = "of the middle between the codes of each image and of its nearest neighbour, decoded"
    needs: ClassVar[frozenset[Need]] = frozenset({"model", "features"})
    reads: ClassVar[frozenset[Read]] = frozenset({"features"})
    by_default: ClassVar[bool] = False

    def measure(self, subject: ModelOnSplit) -> Measurement:
        from spatialvae.metrics.samples.interpolated import interpolated_frechet

        return interpolated_frechet(subject)


@METRICS.register("kernel")
@dataclass(frozen=True)
class KernelDistance(AbstractFeatureMetric):
    """The kernel distance, the KID on the features of Inception."""

    title: ClassVar[str] = "kernel distance"
    unit: ClassVar[str] = "squared"
    better: ClassVar[Better] = "lower"
    meaning: ClassVar[str] = "unbiased squared MMD of the features, cubic kernel"

    def measure(self, sets: FeatureSets) -> Estimate:
        from spatialvae.metrics.samples.kernel import kernel_distance

        return kernel_distance(sets.features, sets.real, seed=sets.seed)


class AbstractNeighbourMetric(AbstractFeatureMetric):
    """One of the four that count nearest-neighbour balls, which are measured together once."""

    part: ClassVar[Literal["precision", "recall", "density", "coverage"]]

    def measure(self, sets: FeatureSets) -> Estimate:
        return sets.neighbours[self.part]


@METRICS.register("precision")
@dataclass(frozen=True)
class Precision(AbstractNeighbourMetric):
    """The share of the set that lies among the real images."""

    title: ClassVar[str] = "precision"
    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "higher"
    meaning: ClassVar[str] = "images that lie on the real images' manifold of features"
    part = "precision"


@METRICS.register("recall")
@dataclass(frozen=True)
class Recall(AbstractNeighbourMetric):
    """The share of the real images that lies among the set."""

    title: ClassVar[str] = "recall"
    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "higher"
    meaning: ClassVar[str] = "real images that lie on the other set's manifold of features"
    part = "recall"


@METRICS.register("density")
@dataclass(frozen=True)
class Density(AbstractNeighbourMetric):
    """How many real balls hold an image of the set."""

    title: ClassVar[str] = "density"
    unit: ClassVar[str] = "ratio"
    better: ClassVar[Better] = "higher"
    meaning: ClassVar[str] = "precision that counts how many real balls hold an image"
    part = "density"


@METRICS.register("coverage")
@dataclass(frozen=True)
class Coverage(AbstractNeighbourMetric):
    """The share of real balls that hold an image of the set."""

    title: ClassVar[str] = "coverage"
    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "higher"
    meaning: ClassVar[str] = "real images with an image of the other set in their ball"
    part = "coverage"


@METRICS.register("parzen")
@dataclass(frozen=True)
class Parzen(AbstractSampleMetric):
    """The Parzen log-density of older papers."""

    title: ClassVar[str] = "Parzen log-density"
    unit: ClassVar[str] = "nats"
    better: ClassVar[Better] = "higher"
    meaning: ClassVar[str] = (
        "of held-out images under a kernel density on the images; superseded, for comparison with old papers only"
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"apart"})
    reads: ClassVar[frozenset[Read]] = frozenset({*DRAWN, "parzen_protocol"})
    by_default: ClassVar[bool] = False

    def measure(self, samples: SampleSet) -> Measurement:
        from spatialvae.metrics.samples.parzen_set import measure_parzen

        return measure_parzen(samples)
