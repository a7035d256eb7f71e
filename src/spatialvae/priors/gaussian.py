"""A Gaussian fitted to the aggregate posterior: a prior one can sample from after training.

Draws from N(0, I) are not like encoded images, since the mean over images of q(z|x) never becomes N(0, I).
A Gaussian with its mean and covariance is the smallest cure, and what the larger priors start from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from spatialvae.distributions.tensor_normal import kron
from spatialvae.priors.base import PRIORS, AbstractDirectFamily, AbstractFittedFamily, AbstractPrior
from spatialvae.priors.code_distribution import AbstractCodeDistribution
from spatialvae.priors.codes import Codes
from spatialvae.priors.mixture.conditional import GivenCells
from spatialvae.priors.mixture.kronecker import fit_kronecker
from spatialvae.priors.normal import JITTER, CodeNormal, axes_of, cholesky
from spatialvae.priors.solver import Solver
from spatialvae.progress import Progress
from spatialvae.tensors import check_shapes

__all__ = ["GaussianCodes", "GaussianFamily", "GaussianPrior", "register_factors"]

DRAWS_PER_NUMBER = 10
DEGENERATE = 1e-6
"""Of the mean variance: a smallest eigenvalue below it gets a note."""


@PRIORS.register("gaussian")
@dataclass(frozen=True)
class GaussianFamily(AbstractDirectFamily):
    """One Gaussian: a full covariance up to 4,096 numbers, a Kronecker product of the axes' own beyond.

    >>> GaussianFamily().spelled
    'gaussian'
    """

    title: ClassVar[str] = "the fitted Gaussian"
    meaning: ClassVar[str] = "one Gaussian; full covariance up to 4,096 numbers, Kronecker beyond"

    def fit(self, codes: Codes, *, progress: bool = False) -> tuple[GaussianPrior, list[str]]:
        """The Gaussian with the mean and covariance of the aggregate posterior, and what to know of it.

            loc = mean(m),  covariance = Cov(m) + mean((z - m)(z - m)^T) + 1e-4 * (mean variance) * I,  m = E[z|x]

        over images x and draws z from q(z|x). Sums run in float64 where the codes are. Few images are drawn from
        several times each, so that the noise's covariance rests on at least ten draws a number of the code.
        """
        axes = axes_of(codes.event_shape)
        if len(axes) > 1:
            normal = fit_kronecker(codes, axes, progress)
            return GaussianPrior(self, normal.map(_stored)), []
        loc, covariance = _moments(codes, progress)
        smallest = (torch.linalg.eigvalsh(covariance)[0] / covariance.diagonal().mean()).item()
        notes = []
        if not smallest >= DEGENERATE:  # not a number where all codes are the same
            notes.append(
                f"The covariance of the codes is degenerate (smallest eigenvalue {smallest:.1g} of the mean variance): "
                f"{JITTER:g} of the mean variance was added to its diagonal."
            )
        normal = CodeNormal(loc.reshape(codes.event_shape), (cholesky(covariance),))
        return GaussianPrior(self, normal.map(_stored)), notes

    def restore(self, event_shape: tuple[int, int, int], tensors: dict[str, Tensor]) -> GaussianPrior:
        axes = axes_of(event_shape)
        wanted = {"loc": event_shape, **{f"factor_{i}": (size, size) for i, size in enumerate(axes)}}
        check_shapes(f"This is no {self.name} prior of this model", tensors, wanted)
        return GaussianPrior(self, CodeNormal(tensors["loc"], tuple(tensors[f"factor_{i}"] for i in range(len(axes)))))


class GaussianCodes(AbstractCodeDistribution):
    """z ~ N(loc, C) over whole codes: batch [], event [maps, height, width]."""

    def __init__(self, normal: CodeNormal) -> None:
        self.normal = normal
        super().__init__(normal.event_shape)

    @property
    def mean(self) -> Tensor:
        return self.normal.loc

    @property
    def variance(self) -> Tensor:
        return self.normal.variance()

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape = torch.Size(sample_shape)
        return self.normal.sample(shape.numel()).reshape(*shape, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.normal.log_prob(value)

    def given_cells(self, code: Tensor, known: Tensor) -> Distribution:
        rest, _ = self.normal.given(code, known)
        return GivenCells(GaussianCodes(rest), code, known)


class GaussianPrior(AbstractPrior):
    """z ~ N(loc, C) over whole codes, and the whitening of codes that comes with it.

    Args:
        family: what it was fitted as.
        normal: mean and Cholesky factors.

    >>> prior = GaussianPrior(GaussianFamily(), CodeNormal(torch.zeros(2, 1, 2), (2 * torch.eye(4),)))
    >>> prior().sample([3]).shape, prior.log_volume
    (torch.Size([3, 2, 1, 2]), tensor(2.7726))
    """

    loc: Tensor

    def __init__(self, family: AbstractFittedFamily, normal: CodeNormal) -> None:
        super().__init__(family, normal.event_shape)
        self.register_buffer("loc", normal.loc)
        self._factors = register_factors(self, normal)
        self._known_roots: tuple[CodeNormal, list[tuple[Tensor, Tensor]]] | None = None

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._known_roots = None  # of the numbers of before
        super()._load_from_state_dict(*args, **kwargs)

    @property
    def normal(self) -> CodeNormal:
        """Mean and Cholesky factors."""
        return CodeNormal(self.loc, tuple(self.get_buffer(name) for name in self._factors))

    def map_statistics(self) -> tuple[Tensor, Tensor]:
        """The mean and the standard deviation of each map's numbers, over sites and images: [maps] each.

        What a second stage of one's own subtracts and divides by: Var = E_s[Var(z_s)] + Var_s(E[z_s]) over the sites s.
        """
        means, variances = self.loc.flatten(1), self.normal.variance().flatten(1)
        return means.mean(1), (variances.mean(1) + means.var(1, unbiased=False)).sqrt()

    def distribution(self, label: int | None, temperature: float, solver: Solver) -> GaussianCodes:
        return GaussianCodes(self.normal.scaled(temperature))

    def whiten(self, codes: Tensor) -> Tensor:
        """(R_1^-1, ..., R_k^-1)(z - loc) with the symmetric roots R_i R_i = C_i: of all ways to make the covariance the
        identity the one that moves every number least, so that maps and cells stay where they are.

        [*S, maps, h, w] -> the same shape.
        """
        return self._along_axes(codes.to(self.loc.dtype) - self.loc, [inverse for _, inverse in self._roots])

    def colour(self, codes: Tensor) -> Tensor:
        """The inverse of `whiten`."""
        return self._along_axes(codes, [root for root, _ in self._roots]) + self.loc

    def coloured(self, white: CodeNormal) -> CodeNormal:
        """The K distributions of colour(y) for y of each of the K of `white`, dense where this one is."""
        loc = torch.stack([self.colour(one) for one in white.loc])
        roots = [root for root, _ in self._roots]
        # One root for all numbers and several factors: their product is one factor too.
        factors = white.factors if len(roots) == len(white.factors) else (reduce(kron, white.factors),)
        return CodeNormal(loc, tuple(_triangle(root @ factor) for root, factor in zip(roots, factors, strict=True)))

    @property
    def log_volume(self) -> Tensor:
        """log|det| of `colour`, half the covariance's log-determinant, in nats."""
        factors = self.normal.factors
        return sum(self.loc.numel() // len(f) * f.diagonal().log().sum() for f in factors) + factors[0].new_zeros(())

    @property
    def _roots(self) -> list[tuple[Tensor, Tensor]]:
        """The symmetric root of each axis' covariance, and its inverse; made at first use of these factors."""
        normal = self.normal
        if self._known_roots is None or not self._known_roots[0].shares(normal):
            with torch.inference_mode(False):  # roots that sampling made serve a gradient later
                self._known_roots = normal, [_root(factor.clone()) for factor in normal.factors]
        return self._known_roots[1]

    def _along_axes(self, codes: Tensor, matrices: list[Tensor]) -> Tensor:
        seen = codes.reshape(-1, *self.normal.axes)
        for axis, matrix in enumerate(matrices, start=1):
            seen = (seen.movedim(axis, -1) @ matrix).movedim(-1, axis)  # symmetric: no transpose
        return seen.reshape(codes.shape)


def register_factors(module: nn.Module, normal: CodeNormal) -> list[str]:
    """Make the Cholesky factors of `normal` buffers of a module; their names."""
    names = [f"factor_{axis}" for axis in range(len(normal.factors))]
    for name, factor in zip(names, normal.factors, strict=True):
        module.register_buffer(name, factor)
    return names


def _root(factor: Tensor) -> tuple[Tensor, Tensor]:
    """The symmetric root of L L^T, and its inverse."""
    values, vectors = torch.linalg.eigh((factor @ factor.mT).cpu().double())
    root, inverse = ((vectors * values.clamp(min=1e-300) ** power) @ vectors.mT for power in (0.5, -0.5))
    return root.to(factor), inverse.to(factor)


def _moments(codes: Codes, progress: bool) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the aggregate posterior, float64.

    The covariance of the means is exact. Draws are only needed for the noise about them: their products with the means,
    which vanish on average, would tie noise to signal by chance.
    """
    passes = max(1, -(-DRAWS_PER_NUMBER * math.prod(codes.event_shape) // len(codes)))
    total, between, within, images, draws = torch.zeros(()), torch.zeros(()), torch.zeros(()), 0, 0
    with Progress("moments of the codes", passes * len(codes), shown=progress) as work:
        for step in range(passes):
            for (drawn, _labels), means in zip(codes.draws(), codes.means(), strict=True):
                centre, noise = _doubles(means), _doubles(drawn) - _doubles(means)
                within, draws = within.to(noise) + noise.mT @ noise, draws + len(noise)
                if step == 0:
                    total, between = total.to(centre) + centre.sum(0), between.to(centre) + centre.mT @ centre
                    images += len(centre)  # mirrored ones too
                work.advance(len(noise))
    loc = total / images
    return loc, between / images - torch.outer(loc, loc) + within / draws


def _doubles(codes: Tensor) -> Tensor:
    """[B, numbers] in float64."""
    flat = codes.flatten(1)
    return (flat.cpu() if flat.device.type == "mps" else flat).double()  # mps has no float64


def _triangle(matrix: Tensor) -> Tensor:
    """The Cholesky factor of A A^T, from the triangle of A^T = Q R."""
    upper = torch.linalg.qr(matrix.mT, mode="r")[1]
    return upper.mT * upper.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]


def _stored(tensor: Tensor) -> Tensor:
    return tensor.float().cpu()
