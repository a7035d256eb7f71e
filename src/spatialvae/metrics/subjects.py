"""What the different kinds of metrics are measured on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData, ImageSplit
from spatialvae.data.subset import subset
from spatialvae.estimate import Estimate
from spatialvae.metrics.reconstruction.perceptual import PerceptualDistance
from spatialvae.metrics.samples.neighbours import neighbour_metrics
from spatialvae.model import SpatialVAE

__all__ = ["EncodedBatch", "FeatureSets", "ModelOnSplit", "Pairs", "SampleSet"]


@dataclass(frozen=True, eq=False)
class EncodedBatch:
    """Some images of a split and their posteriors."""

    key: str
    """Of the result: the metric's name with its options."""
    model: SpatialVAE
    images: Tensor
    """Floats in [0, 1], [B C H W], on the model's device."""
    posterior: Distribution
    """q(z|x), batch [B], event [maps, height, width]."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Some images of a split and their reconstructions, uint8 [B C H W] on the CPU."""

    images: Tensor
    reconstructions: Tensor
    perceptual: PerceptualDistance | None = None
    """The network that `lpips` names in the settings."""


@dataclass(frozen=True, eq=False)
class FeatureSets:
    """The features of a set of images and of the real ones, float32 [n F] and [m F]."""

    features: Tensor
    real: Tensor
    seed: int = 0
    """Of a bootstrap's resamples."""

    @cached_property
    def neighbours(self) -> dict[str, Estimate]:
        """`precision`, `recall`, `density` and `coverage`, which one pass over the distances gives."""
        return neighbour_metrics(self.real, self.features)


@dataclass(frozen=True, eq=False)
class SampleSet:
    """A set of images beside the split that it is measured against."""

    key: str
    """Of the result: the metric's name with its options, and what the images are."""
    images: Tensor
    """uint8 [N C H W]."""
    data: ImageData
    count: int
    """Images of the split."""
    config: EvaluationConfig


@dataclass(frozen=True, eq=False)
class ModelOnSplit:
    """A model, the images that it is measured on, and the settings."""

    key: str
    """Of the result: the metric's name with its options."""
    model: SpatialVAE
    data: ImageData
    split: ImageSplit
    count: int
    """Images of the split that are used."""
    priors: tuple[str, ...]
    """The priors to measure, the model's own among them."""
    config: EvaluationConfig
    progress: bool = False

    def rows(self, count: int) -> npt.NDArray[np.integer]:
        """Where the images of a subset of `count` lie in the split; smaller subsets lie within larger ones."""
        return subset(len(self.split), count, seed=self.config.seed)
