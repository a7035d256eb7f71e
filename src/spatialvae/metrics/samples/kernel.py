"""The kernel distance between two sets of features: an unbiased squared MMD (Binkowski et al., 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from spatialvae.estimate import Estimate
from spatialvae.metrics.samples.features import check_features
from spatialvae.metrics.samples.frechet import bootstrap_counts

__all__ = ["kernel_distance"]

ROWS = 512  # a block of the kernel's matrix is 2 MiB and stays near the processor


def kernel_distance(features: Tensor, others: Tensor, *, resamples: int = 100, seed: int = 0) -> Estimate:
    """The unbiased estimate of the squared maximum mean discrepancy, features x [n F] and y [m F].

        mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j),   k(a, b) = (a.b / F + 1)^3

    Of the whole sets, not of subsets; it can fall below zero. Its standard error is a bootstrap's with both sets
    resampled: pairs of an image with its own copy are left out like i = j. Fewer than 2 resamples give no error.
    Memory does not grow with n m.

    >>> kernel_distance(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [0.0]]), resamples=0)
    Estimate(value=-3.5, standard_error=None, n=2, over='images')

    Raises:
        UserError: features that are not finite [n F] with n of at least 2, or of two networks.
    """
    check_features(features, others)
    generator = torch.Generator().manual_seed(seed)
    one = _weights(len(features), resamples, generator)
    other = _weights(len(others), resamples, generator)
    across = _forms(features, one, others, other) / (len(features) * len(others))
    values = _within(features, one) + _within(others, other) - 2 * across
    draws = values[1:]
    draws = draws[draws.isfinite()]  # of 2 or 3 images a resample may be one image over and over: no pair is left
    return Estimate(values[0].item(), draws.std().item() if len(draws) > 1 else None, len(features))


def _weights(n: int, resamples: int, generator: torch.Generator) -> Tensor:
    """[n, 1 + R] float64: the set itself, then how often each image is in each resample."""
    return torch.stack([torch.ones(n, dtype=torch.float64), *bootstrap_counts(n, resamples, generator)], 1)


def _within(features: Tensor, weights: Tensor) -> Tensor:
    """The mean of k over pairs of two different images, for each column of weights [1 + R]."""
    squares = weights.square()
    lengths = torch.cat([part.double().square().sum(1) for part in features.split(ROWS)])
    own = _cubic(lengths / features.shape[1]) @ squares
    pairs = weights.sum(0).square() - squares.sum(0)
    return (_forms(features, weights, features, weights) - own) / pairs


def _forms(features: Tensor, weights: Tensor, others: Tensor, other_weights: Tensor) -> Tensor:
    """u^T K v for each pair of columns u of weights [n R] and v of other_weights [m R], K block by block; [R]."""
    total = weights.new_zeros(weights.shape[1])
    for rows, row_weights in zip(features.split(ROWS), weights.split(ROWS), strict=True):
        for columns, column_weights in zip(others.split(ROWS), other_weights.split(ROWS), strict=True):
            block = _cubic(rows.double() @ columns.double().mT / features.shape[1])
            total += (row_weights * (block @ column_weights)).sum(0)
    return total


def _cubic(products: Tensor) -> Tensor:
    return (products + 1).pow(3)
