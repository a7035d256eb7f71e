"""The metrics of images beside their reconstructions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from spatialvae.metrics.base import METRICS, AbstractPairMetric, Better, Need

if TYPE_CHECKING:
    from torch import Tensor

    from spatialvae.metrics.subjects import Pairs

__all__ = ["PeakSignalToNoise", "PerceptualError", "SquaredError", "StructuralSimilarity"]


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
