"""Posteriors made up in float64: the product's own distributions, and correlated sites, as dense Gaussians too."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, MultivariateNormal

from spatialvae.distributions import MatrixNormal
from spatialvae.latents.base import independent_normals

KINDS = ["normal", "diagonal", "correlated", "mixed"]
EVENTS = [(3, 2, 3), (1, 3, 2), (4, 1, 1), (2, 1, 4)]


def made_up(kind: str, event: tuple[int, int, int], images: int = 5) -> Distribution:
    """q(z|x) of some images: independent sites, or matrix-normal maps of the given kind of sides."""
    maps, height, width = event
    loc = torch.randn(images, *event, dtype=torch.float64)
    if kind == "normal":
        return independent_normals(loc, _positive(images, *event))
    if kind == "correlated":
        sides = _triangle(images, maps, height), _triangle(images, maps, width)
        return Independent(MatrixNormal(loc, row_scale_tril=sides[0], column_scale_tril=sides[1]), 1)
    row = _positive(images, maps, height)
    if kind == "mixed":
        return Independent(MatrixNormal(loc, row_scale=row, column_scale_tril=_triangle(images, maps, width)), 1)
    return Independent(MatrixNormal(loc, row_scale=row, column_scale=_positive(images, maps, width)), 1)


def dense(distribution: Distribution) -> list[list[MultivariateNormal]]:
    """The distribution of every map of every image as a Gaussian over its sites in memory order."""
    base = getattr(distribution, "base_dist")  # noqa: B009  (Distribution does not declare it)
    mean, variance = distribution.mean.flatten(2), distribution.variance.flatten(2)
    if not isinstance(base, MatrixNormal):
        covariance = variance.diag_embed()
    else:
        pairs = zip(base.row_covariance.flatten(0, 1), base.column_covariance.flatten(0, 1), strict=True)
        covariance = torch.stack([torch.kron(row, column) for row, column in pairs]).unflatten(0, mean.shape[:2])
    return [
        [MultivariateNormal(m, c) for m, c in zip(means, covariances, strict=True)]
        for means, covariances in zip(mean, covariance, strict=True)
    ]


def _positive(*shape: int) -> Tensor:
    return (0.5 * torch.randn(*shape, dtype=torch.float64)).exp()


def _triangle(*shape: int) -> Tensor:
    size = shape[-1]
    below = 0.6 * torch.randn(*shape, size, dtype=torch.float64)
    return below.tril(-1) + _positive(*shape).diag_embed()
