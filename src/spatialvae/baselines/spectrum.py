"""The principal directions of the dequantised training images: all that both baselines are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spatialvae.baselines.moments import moments_of
from spatialvae.baselines.stored import Basis, stored
from spatialvae.baselines.tiles import Tiles
from spatialvae.data import ImageData
from spatialvae.progress import Progress

__all__ = ["NOISE", "Spectrum", "basis_of", "spectrum_of"]

NOISE = 1 / 12
"""The variance of the uniform noise that makes 256 levels a density, grey levels squared."""
LONG = 1024
"""Directions from which on computing them takes seconds."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Mean, variances and axes of the tiles of images x + n, with n uniform on [0, 1) in every number.

        Cov[x + n] = S + I / 12 = U diag(v) U^T

    No variance is below 1/12, however few images there are: a direction in which no training image differs has the
    variance of the noise.
    """

    mean: Tensor
    """float64 [P, d], of x in grey levels: 1/2 less than that of x + n."""
    variances: Tensor
    """v, float64 [d], falling."""
    axes: Tensor
    """U, float64 [d, d], a direction a column."""

    def noise_variance(self, kept: int) -> float:
        """sigma^2 of probabilistic PCA with `kept` directions: the mean of the other variances; 0 where none is left.

        Tipping and Bishop (1999), equation 8.
        """
        return self.variances[kept:].mean().item() if kept < len(self.variances) else 0.0

    def log_determinant(self, kept: int) -> float:
        """That of the model's covariance: the kept variances, and sigma^2 in all other directions."""
        rest = len(self.variances) - kept
        others = rest * math.log(self.noise_variance(kept)) if rest else 0.0
        return self.variances[:kept].log().sum().item() + others


def basis_of(data: ImageData, tiles: Tiles) -> Basis:
    """What the spectrum of the training images depends on."""
    return {
        "data": data.fingerprint,
        "split": "train",
        "images": len(data.split("train")),
        "shape": [data.channels, data.height, data.width],
        "tile": [tiles.tile_height, tiles.tile_width],
    }


def spectrum_of(data: ImageData, tiles: Tiles, *, progress: bool = False) -> Spectrum:
    """The spectrum of the training images, computed once and kept in the cache.

    Raises:
        UserError: no training images, or only one; a cache that cannot be written.
    """
    train = data.split("train")

    def make() -> Mapping[str, Tensor]:
        moments = moments_of(train, tiles, progress=progress)
        covariance = moments.covariance
        covariance.diagonal().add_(NOISE)
        with Progress("baselines, axes", None, shown=progress and tiles.size >= LONG) as work:
            work.say(f"the principal directions of {tiles.size:,} numbers")
            variances, axes = torch.linalg.eigh(covariance)
        variances = variances.flip(0).clamp(min=NOISE)  # rounding alone can bring one below
        return {"mean": moments.mean, "variances": variances, "axes": axes.flip(1)}

    size = tiles.size
    shapes = {"mean": (tiles.count, size), "variances": (size,), "axes": (size, size)}
    return Spectrum(**stored({"kind": "spectrum", **basis_of(data, tiles)}, shapes, make))
