"""Mean and covariance of the training images in one pass, exact whatever the batches are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spatialvae.baselines.tiles import Tiles
from spatialvae.data import ImageSplit
from spatialvae.data.batches import in_order
from spatialvae.errors import UserError
from spatialvae.progress import Progress

__all__ = ["Moments", "moments_of"]

MIDDLE = 128
ROWS = 1024
"""Vectors of one product: 1,024 products of at most 128^2 sum to at most 2^24, which float32 still counts exactly."""


@dataclass(frozen=True, eq=False)
class Moments:
    """The maximum-likelihood moments of N images' tiles, in grey levels of 0 to 255.

    Each of the P tiles of an image has a mean of its own; the covariance is one for all, that of the tiles about these
    means. With one tile they are the images' mean and covariance.
    """

    mean: Tensor
    """float64 [P, d]."""
    covariance: Tensor
    """float64 [d, d], divided by N P."""


def moments_of(split: ImageSplit, tiles: Tiles, *, progress: bool = False) -> Moments:
    """The moments of all images of a split.

        m_p = sum_n x_np / N,   S = sum_n sum_p (x_np - m_p)(x_np - m_p)^T / (N P)

    Sums are of whole numbers, the grey levels minus 128, and exact: products of at most 1,024 vectors in float32, all
    else in float64. So they depend on no batch size, order or thread.

    >>> import numpy as np
    >>> pixels = np.array([0, 10, 20, 30, 100, 50], np.uint8).reshape(3, 1, 1, 2)
    >>> moments = moments_of(ImageSplit(pixels, None), Tiles.of(1, 1, 2))
    >>> moments.mean.tolist(), bool(np.allclose(moments.covariance, np.cov(pixels.reshape(3, 2).T, bias=True)))
    ([[40.0, 30.0]], True)

    Args:
        split: the images.
        tiles: how they are cut.
        progress: show a bar on stderr.

    Raises:
        UserError: there are fewer than two images.
    """
    count = len(split)
    if count < 2:
        raise UserError(f"A baseline is fitted to training images, at least 2 of them: there is {count}.")
    sums = torch.zeros(tiles.count, tiles.size, dtype=torch.float64)
    squares = torch.zeros(tiles.size, tiles.size, dtype=torch.float64)
    with Progress("baselines, fit", count, shown=progress) as work:
        for images in in_order(split, max(1, ROWS // tiles.count)):
            vectors = tiles.cut(images).float() - MIDDLE
            sums += vectors.sum(0, dtype=torch.float64)
            for rows in vectors.flatten(0, 1).split(ROWS):
                squares += rows.T @ rows
            work.advance(len(images))
    mean = sums / count
    covariance = squares.div_(count).sub_(mean.T @ mean).div_(tiles.count)
    return Moments(mean + MIDDLE, covariance)
