"""The aggregate posterior (1/n) sum_i q(z|x_i): its mean and covariance, and how far they are from N(0, I)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.distributions import TensorNormal, map_marginals

__all__ = ["LARGEST_FULL", "LARGEST_GRID", "Aggregate", "Moments"]

LARGEST_FULL = 4096
"""Codes of more numbers get no full covariance."""
LARGEST_GRID = 144
"""Maps of more sites get no covariance between sites unless the code has at most `LARGEST_FULL` numbers."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over images that give the moments of the aggregate posterior; those of two sets of images add up.

    The numbers of a code form `groups` of equal size whose covariance is kept, in memory order: all of them as one up
    to 4096 numbers, else those of a map up to 144 sites, else each by itself. All sums are float64.

    >>> from spatialvae.latents.base import independent_normals
    >>> moments = Moments.of(independent_normals(torch.randn(10, 2, 3, 3), torch.ones(10, 2, 3, 3)))
    >>> (moments + moments).n, moments.aggregate().covariance.shape
    (20, torch.Size([1, 18, 18]))
    """

    n: int
    event_shape: tuple[int, int, int]
    mean: Tensor
    """Of the images' means, [groups, size]."""
    scatter: Tensor
    """Sum over images of (m_i - mean)(m_i - mean)^T within each group, [groups, size, size]."""
    spread: Tensor
    """Sum over images of the covariance of q(z|x_i): [maps, h w, h w], or that of all groups' own shape."""

    @classmethod
    def of(cls, distribution: Distribution) -> Moments:
        """The sums over a batch of posteriors: batch [B], event [maps, height, width]."""
        maps, height, width = distribution.event_shape
        groups, size = _grouping(maps, height * width)
        codes = distribution.mean.cpu().double().reshape(-1, groups, size).transpose(0, 1)
        mean = codes.mean(1)
        centred = codes - mean[:, None]
        if groups == 1 and isinstance(distribution, TensorNormal):
            spread = _whole_covariance(distribution)
        elif size > 1 or height * width == 1:
            spread = _covariances(map_marginals(distribution))
        else:
            spread = distribution.variance.cpu().double().sum(0).reshape(-1, 1, 1)
        return cls(codes.shape[1], (maps, height, width), mean, centred.mT @ centred, spread)

    def __add__(self, other: Moments) -> Moments:
        # Chan, Golub and LeVeque, 1979: no squares of large numbers are subtracted from each other.
        n = self.n + other.n
        step = other.mean - self.mean
        between = step[:, :, None] * step[:, None, :] * (self.n * other.n / n)
        return Moments(
            n,
            self.event_shape,
            self.mean + step * (other.n / n),
            self.scatter + other.scatter + between,
            self.spread + other.spread,
        )

    def variance_of_means(self) -> Tensor | None:
        """The variance over images of every number's mean, [maps, h, w]; None for a single image."""
        if self.n < 2:
            return None
        return (self.scatter.diagonal(dim1=-2, dim2=-1) / (self.n - 1)).reshape(self.event_shape)

    def aggregate(self) -> Aggregate:
        """Mean, and covariance by its two parts: the mean of the covariances plus the covariance of the means."""
        spread = self.spread
        if spread.shape != self.scatter.shape:
            spread = torch.block_diag(*spread)[None]
        return Aggregate(self.event_shape, self.mean, (self.scatter + spread) / self.n)


@dataclass(frozen=True, eq=False)
class Aggregate:
    """The Gaussian with the moments of an aggregate posterior; groups of numbers are taken as independent.

    >>> standard = Aggregate((2, 1, 1), torch.zeros(1, 2), torch.eye(2)[None])
    >>> standard.divergence_from_standard(), standard.distances(torch.tensor([[3.0, 4.0]]))
    (0.0, tensor([5.]))
    """

    event_shape: tuple[int, int, int]
    mean: Tensor
    """[groups, size]."""
    covariance: Tensor
    """[groups, size, size]."""

    @property
    def variance(self) -> Tensor:
        """Of every number, [numbers]."""
        return self.covariance.diagonal(dim1=-2, dim2=-1).flatten()

    def divergence_from_standard(self) -> float:
        """KL(N(mean, covariance) || N(0, I)) in nats: 1/2 (tr C + |m|^2 - D - log|C|)."""
        log_determinant = 2 * _factor(self.covariance).diagonal(dim1=-2, dim2=-1).log().sum()
        numbers = self.mean.numel()
        return 0.5 * (self.variance.sum() + self.mean.square().sum() - numbers - log_determinant).item()

    def divergence_from(self, prior: Distribution) -> float | None:
        """KL(N(mean, covariance) || p) in nats for a normal distribution p over codes.

        None unless the covariance is full.

            -H - log p(m) + sum_j [log p(mu) - log p(mu + c_j)]

        with mu the mean of p and c_j the columns of the covariance's Cholesky factor, so that the last term is
        tr(P C) / 2 for the precision P of p, which need not be known.
        """
        if len(self.mean) != 1:
            return None
        factor = _factor(self.covariance)[0]
        numbers = len(factor)
        entropy = factor.diagonal().log().sum() + 0.5 * numbers * (1 + math.log(2 * math.pi))
        centre = prior.mean.double()
        columns = factor.mT.reshape(-1, *self.event_shape).to(centre)
        mean = self.mean.reshape(self.event_shape).to(centre)
        steps = torch.cat(
            [(prior.log_prob(centre) - prior.log_prob(centre + part)).double() for part in columns.split(500)]
        )
        return (steps.sum() - prior.log_prob(mean)).item() - entropy.item()

    def distances(self, codes: Tensor, jitter: float = 0.0) -> Tensor:
        """Mahalanobis distances of codes [n, numbers], under C + jitter * (mean variance) * I; [n]."""
        factor = _factor(self.covariance, jitter)
        centred = codes.to(self.mean.dtype).reshape(len(codes), *self.mean.shape) - self.mean
        white = torch.linalg.solve_triangular(factor, centred.permute(1, 2, 0), upper=False)
        return white.square().sum((0, 1)).sqrt()

    def site_correlation(self) -> Tensor | None:
        """The correlation between the sites of each map, [maps, h w, h w]; None beyond 144 sites."""
        maps, height, width = self.event_shape
        sites = height * width
        if sites > LARGEST_GRID:
            return None
        blocks = self.covariance
        if len(blocks) != maps:
            blocks = blocks.reshape(maps, sites, maps, sites).diagonal(dim1=0, dim2=2).permute(2, 0, 1)
        scale = blocks.diagonal(dim1=-2, dim2=-1).clamp(min=torch.finfo(blocks.dtype).tiny).sqrt()
        return blocks / scale[:, :, None] / scale[:, None, :]


def _grouping(maps: int, sites: int) -> tuple[int, int]:
    """How many groups of how many numbers have a covariance."""
    if maps * sites <= LARGEST_FULL:
        return 1, maps * sites
    return (maps, sites) if sites <= LARGEST_GRID else (maps * sites, 1)


def _covariances(maps: Distribution) -> Tensor:
    """The covariance of each map given its image, summed over images, [maps, h w, h w]; `maps` has batch [B, maps]."""
    if not isinstance(maps, TensorNormal):  # independent sites
        return maps.variance.cpu().double().sum(0).flatten(1).diag_embed()
    row, column = (side.expand(maps.batch_shape).covariance().cpu().double() for side in maps.sides)
    # kron(Omega, Psi) in memory order; the sum over images is one matrix product a map.
    return torch.einsum("bnij,bnkl->nikjl", row, column).flatten(1, 2).flatten(2, 3)


def _whole_covariance(distribution: TensorNormal) -> Tensor:
    """The covariance of a code of correlated maps given its image, summed over images, [1, numbers, numbers]."""
    shared, *sides = (side.covariance().cpu().double() for side in distribution.sides)
    row, column = (side.expand(*distribution.batch_shape, *side.shape[-2:]) for side in sides)
    within = torch.einsum("bij,bkl->ikjl", row, column).flatten(0, 1).flatten(1, 2)
    return torch.kron(shared, within)[None]  # the factor across the maps is that of every image


def _factor(covariance: Tensor, jitter: float = 0.0) -> Tensor:
    """The Cholesky factor of C + jitter * (mean variance) * I, jitter raised where rounding asks for it."""
    identity = torch.eye(covariance.shape[-1], dtype=covariance.dtype)
    level = covariance.diagonal(dim1=-2, dim2=-1).mean()
    for more in (0.0, 1e-12, 1e-10, 1e-8):
        factor, failed = torch.linalg.cholesky_ex(covariance + (jitter + more) * level * identity)
        if not failed.any():
            return factor
    return torch.linalg.cholesky(covariance + (jitter + 1e-6) * level * identity)
