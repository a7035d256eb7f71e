"""What linear models reach on the same images: one Gaussian over the pixels, and probabilistic PCA."""

from spatialvae.baselines.api import linear_baselines, pixel_gaussian, possible_numbers, ppca
from spatialvae.baselines.result import LinearBaseline, LinearBaselines

__all__ = ["LinearBaseline", "LinearBaselines", "linear_baselines", "pixel_gaussian", "possible_numbers", "ppca"]
