"""The nearest neighbours of points, block by block: the memory does not grow with their number."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from spatialvae.metrics.samples.distances import squared_distances

__all__ = ["ROUNDING", "Nearest", "nearest"]

ROUNDING = 1e-13
"""Above what a float64 product of 2,048 features loses, relative to the norms: equal features have distance 0."""


class Nearest(NamedTuple):
    """The k nearest of some rows to each of others, the nearest first."""

    squared: Tensor
    """Squared Euclidean distances, float64 [n, k]."""
    indices: Tensor
    """Which rows they are, [n, k]."""


def nearest(points: Tensor, others: Tensor, k: int = 1, *, names: tuple[str, str], itself: bool = True) -> Nearest:
    """The k rows of `others` [m D] that are nearest to each of `points` [n D]; distances are float64.

    Args:
        names: what the sets are called, in the plural, if a message has to name them.
        itself: whether a point counts as its own neighbour, where both sets are the same.

    Raises:
        UserError: NaN or infinity in a set.

    >>> points = torch.tensor([[0.0], [1.0], [3.0]])
    >>> nearest(points, points, names=("points", "points"), itself=False).indices.flatten()
    tensor([1, 0, 1])
    """
    shape = len(points), k
    squared = torch.full(shape, torch.inf, dtype=torch.float64, device=others.device)
    indices = torch.zeros(shape, dtype=torch.int64, device=others.device)
    for rows, columns, block in squared_distances(points, others, names=names, rounding=ROUNDING):
        if not itself and rows == columns:
            block.fill_diagonal_(torch.inf)
        # The nearest of this block and of those before it.
        best = block.topk(min(k, block.shape[1]), largest=False)
        merged = torch.cat([squared[rows], best.values], 1).topk(k, largest=False)
        known = torch.cat([indices[rows], best.indices + columns.start], 1)
        squared[rows], indices[rows] = merged.values, known.gather(1, merged.indices)
    return Nearest(squared, indices)
