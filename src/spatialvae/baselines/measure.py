"""Bits per dim and squared error of the linear models on images, one value an image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from spatialvae.baselines.spectrum import NOISE, Spectrum
from spatialvae.baselines.tiles import Tiles
from spatialvae.data import ImageSplit
from spatialvae.data.batches import in_order
from spatialvae.progress import Progress

__all__ = ["values_of"]

ROWS = 1000
"""Vectors of one product."""


def values_of(
    spectrum: Spectrum,
    tiles: Tiles,
    split: ImageSplit,
    rows: np.ndarray,
    kept: Sequence[int],
    *,
    progress: bool = False,
) -> dict[int, dict[str, Tensor]]:
    """`bits_per_dim` and `mse` of each model, float64 [n], by the directions a tile that it keeps; d is the Gaussian.

    Args:
        spectrum: of the training images.
        tiles: how images are cut.
        split: the images to measure on.
        rows: which of them, [n].
        kept: of each model.
        progress: show a bar on stderr.
    """
    parts: dict[int, list[dict[str, Tensor]]] = {one: [] for one in kept}
    with Progress("baselines", len(rows), shown=progress) as work:
        for images in in_order(split, max(1, ROWS // tiles.count), rows):
            vectors = tiles.cut(images).double()
            about = vectors - spectrum.mean
            turned = about @ spectrum.axes[:, : max(kept)]
            for one, batches in parts.items():
                batches.append(_values(spectrum, vectors, about, turned[..., :one]))
            work.advance(len(images))
    return {one: _joined(batches) for one, batches in parts.items()}


def _values(spectrum: Spectrum, vectors: Tensor, about: Tensor, code: Tensor) -> dict[str, Tensor]:
    """One model's values of a batch.

    With y = x + n, about = E[y | x] - E[y], t = U^T about, and n independent with variance 1/12,

        -E_n[log p(y)] = 1/2 sum_i [(t_i^2 + 1/12) / w_i + log w_i + log 2 pi],

    where w_i is the variance of the model in direction i: v_i if it is kept, else sigma^2. The mean over n is exact.
    E[z | x] decodes to the mean plus sum_i (1 - sigma^2 / v_i) t_i u_i over the kept directions.

    Args:
        vectors: grey levels, [B, P, d].
        about: the same minus their mean.
        code: t in the kept directions, [B, P, kept].
    """
    kept, size = code.shape[-1], vectors.shape[-1]
    variances, noise = spectrum.variances[:kept], spectrum.noise_variance(kept)
    squares = code.square()
    distance = ((squares + NOISE) / variances).sum(-1)
    if kept < size:
        outside = (about.square().sum(-1) - squares.sum(-1)).clamp(min=0)
        distance = distance + (outside + (size - kept) * NOISE) / noise
    nats = (distance + spectrum.log_determinant(kept) + size * math.log(2 * math.pi)).sum(-1) / 2
    bits = nats / (vectors[0].numel() * math.log(2))
    if kept == size:
        return {"bits_per_dim": bits, "mse": torch.zeros_like(bits)}
    decoded = spectrum.mean + (code * (1 - noise / variances)) @ spectrum.axes[:, :kept].T
    errors = (decoded.round().clamp(0, 255) - vectors) / 255
    return {"bits_per_dim": bits, "mse": errors.square().mean((-2, -1))}


def _joined(batches: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
