"""The metrics of images beside their reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from spatialvae.metrics.base import METRICS, AbstractModelMetric, AbstractPairMetric, Better, Need, Quantity, Read

if TYPE_CHECKING:
    from torch import Tensor

    from spatialvae.metrics.measurement import Measurement
    from spatialvae.metrics.provenance import NetworkDescription
    from spatialvae.metrics.subjects import ModelOnSplit, Pairs

__all__ = [
    "ImageNetDistance",
    "LinearModels",
    "PeakSignalToNoise",
    "PerceptualError",
    "SquaredError",
    "StructuralSimilarity",
]


@METRICS.register("mse")
@dataclass(frozen=True)
class SquaredError(AbstractPairMetric):
    """The mean squared error of pixels in [0, 1]."""

    title: ClassVar[str] = "squared error"
    unit: ClassVar[str] = "of 0 to 1"
    better: ClassVar[Better] = "lower"
    meaning: ClassVar[str] = "between image and reconstruction, mean over pixels in [0, 1]"

    def measure(self, pairs: Pairs) -> Tensor:
        from spatialvae.metrics.reconstruction.pictures import mean_squared_error

        return mean_squared_error(pairs.images, pairs.reconstructions)


@METRICS.register("baselines")
@dataclass(frozen=True)
class LinearModels(AbstractModelMetric):
    """What linear models reach on the same images: PCA with as many numbers as the code, a Gaussian over the pixels."""

    needs: ClassVar[frozenset[Need]] = frozenset({"model", "training"})
    reads: ClassVar[frozenset[Read]] = frozenset()

    @classmethod
    def quantities(cls, name: str) -> tuple[Quantity, ...]:
        pca = "of probabilistic PCA with as many numbers as the code, fitted to the training images"
        gaussian = "of one Gaussian over the pixels with a full covariance, fitted to the training images"
        return (
            Quantity("pca_bits_per_dim", "bits per dim, linear PCA", "bits", "", "likelihood", pca),
            Quantity("pixel_gaussian_bits_per_dim", "bits per dim, pixel Gaussian", "bits", "", "likelihood", gaussian),
            Quantity("pca_mse", "squared error, linear PCA", "of 0 to 1", "", "reconstruction", pca),
        )

    def keys(self, subject: ModelOnSplit) -> Sequence[str]:
        return ("pca_bits_per_dim", "pixel_gaussian_bits_per_dim", "pca_mse")

    def measure(self, subject: ModelOnSplit) -> Measurement:
        from spatialvae.metrics.reconstruction.linear import measure_linear

        return measure_linear(subject)


@METRICS.register("psnr")
@dataclass(frozen=True)
class PeakSignalToNoise(AbstractPairMetric):
    """The same error in decibels."""

    title: ClassVar[str] = "PSNR"
    unit: ClassVar[str] = "dB"
    better: ClassVar[Better] = "higher"
    meaning: ClassVar[str] = "the same error as a peak signal-to-noise ratio"

    def measure(self, pairs: Pairs) -> Tensor:
        from spatialvae.metrics.reconstruction.pictures import peak_signal_to_noise

        return peak_signal_to_noise(pairs.images, pairs.reconstructions)


@METRICS.register("ssim")
@dataclass(frozen=True)
class StructuralSimilarity(AbstractPairMetric):
    """SSIM."""

    title: ClassVar[str] = "SSIM"
    unit: ClassVar[str] = "at most 1"
    better: ClassVar[Better] = "higher"
    meaning: ClassVar[str] = "the structural similarity of image and reconstruction"

    def measure(self, pairs: Pairs) -> Tensor:
        from spatialvae.metrics.reconstruction.pictures import structural_similarity

        return structural_similarity(pairs.images, pairs.reconstructions)


@METRICS.register("perceptual")
@dataclass(frozen=True)
class ImageNetDistance(AbstractPairMetric):
    """How far apart image and reconstruction look to EfficientNet-Lite0."""

    title: ClassVar[str] = "perceptual distance, ImageNet"
    unit: ClassVar[str] = "of 0 to 4"
    better: ClassVar[Better] = "lower"
    meaning: ClassVar[str] = "between image and reconstruction, by the maps of EfficientNet-Lite0"
    needs: ClassVar[frozenset[Need]] = frozenset({"pairs", "imagenet"})
    by_default: ClassVar[bool] = False

    @property
    def network(self) -> NetworkDescription:
        from spatialvae.imagenet import NAME, SHA256
        from spatialvae.metrics.provenance import NetworkDescription

        return NetworkDescription(NAME, SHA256)

    def measure(self, pairs: Pairs) -> Tensor:
        from spatialvae.metrics.reconstruction.perceptual import PerceptualDistance

        return PerceptualDistance.of_imagenet()(pairs.images, pairs.reconstructions)


@METRICS.register("lpips")
@dataclass(frozen=True)
class PerceptualError(AbstractPairMetric):
    """The perceptual distance by a network."""

    title: ClassVar[str] = "LPIPS"
    unit: ClassVar[str] = "from 0"
    better: ClassVar[Better] = "lower"
    meaning: ClassVar[str] = "the perceptual distance of image and reconstruction, by a network"
    needs: ClassVar[frozenset[Need]] = frozenset({"pairs", "lpips"})

    def measure(self, pairs: Pairs) -> Tensor:
        assert pairs.perceptual is not None  # a need of this metric
        return pairs.perceptual(pairs.images, pairs.reconstructions)
