"""A Gaussian fitted to the aggregate posterior: a prior one can sample from after training.

Draws from N(0, I) are not like encoded images, since the mean over images of q(z|x) never becomes N(0, I).
A Gaussian with its mean and covariance is the smallest cure, and what the larger priors start from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.priors.base import PRIORS, AbstractDirectFamily, AbstractFittedFamily, AbstractPrior
from spatialvae.priors.codes import Codes
from spatialvae.priors.mixture.conditional import GivenCells
from spatialvae.priors.mixture.kronecker import fit_kronecker
from spatialvae.priors.normal import JITTER, CodeNormal, axes_of, cholesky, kron
from spatialvae.progress import bar
from spatialvae.tensors import check_shapes

__all__ = ["GaussianFamily", "GaussianPrior"]

DRAWS_PER_NUMBER = 10
DEGENERATE = 1e-6
"""Of the mean variance: a smallest eigenvalue below it is said."""


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
            law = fit_kronecker(codes, axes, progress)
            return GaussianPrior(self, law.map(_stored)), []
        loc, covariance = _moments(codes, progress)
        smallest = (torch.linalg.eigvalsh(covariance)[0] / covariance.diagonal().mean()).item()
        said = []
        if not smallest >= DEGENERATE:  # not a number where all codes are the same
            said.append(
                f"The covariance of the codes is degenerate (smallest eigenvalue {smallest:.1g} of the mean variance): "
                f"{JITTER:g} of the mean variance was added to its diagonal."
            )
        law = CodeNormal(loc.reshape(codes.event_shape), (cholesky(covariance),))
        return GaussianPrior(self, law.map(_stored)), said

    def restore(self, event_shape: tuple[int, int, int], tensors: dict[str, Tensor]) -> GaussianPrior:
        axes = axes_of(event_shape)
        wanted = {"loc": event_shape, **{f"factor_{i}": (size, size) for i, size in enumerate(axes)}}
        check_shapes(f"This is no {self.name} prior of this model", tensors, wanted)
        return GaussianPrior(self, CodeNormal(tensors["loc"], tuple(tensors[f"factor_{i}"] for i in range(len(axes)))))


class GaussianPrior(AbstractPrior):
    """z ~ N(loc, C) over whole codes: batch [], event [maps, height, width].

    Args:
        family: what it was fitted as.
        law: mean and Cholesky factors.

    >>> prior = GaussianPrior(GaussianFamily(), CodeNormal(torch.zeros(2, 1, 2), (2 * torch.eye(4),)))
    >>> prior.sample([3]).shape, prior.log_volume
    (torch.Size([3, 2, 1, 2]), tensor(2.7726))
    """

    def __init__(self, family: AbstractFittedFamily, law: CodeNormal) -> None:
        self.law = law
        super().__init__(family, law.event_shape)

    @property
    def mean(self) -> Tensor:
        return self.law.loc

    @property
    def variance(self) -> Tensor:
        return self.law.variance()

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape = torch.Size(sample_shape)
        return self.law.sample(shape.numel()).reshape(*shape, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.law.log_prob(value)

    def tempered(self, temperature: float) -> GaussianPrior:
        return GaussianPrior(self.family, self.law.scaled(temperature))

    def given_cells(self, code: Tensor, known: Tensor) -> Distribution:
        law, _ = self.law.given(code, known)
        return GivenCells(GaussianPrior(self.family, law), code, known)

    def whiten(self, codes: Tensor) -> Tensor:
        """(R_1^-1, ..., R_k^-1)(z - loc) with the symmetric roots R_i R_i = C_i: of all ways to make the covariance the
        identity the one that moves every number least, so that maps and cells stay where they are.

        [*S, maps, h, w] -> the same shape.
        """
        return self._along_axes(codes.to(self.law.loc.dtype) - self.law.loc, [inverse for _, inverse in self._roots])

    def colour(self, codes: Tensor) -> Tensor:
        """The inverse of `whiten`."""
        return self._along_axes(codes, [root for root, _ in self._roots]) + self.law.loc

    def coloured(self, law: CodeNormal) -> CodeNormal:
        """The law of colour(y) for y of `law`, dense where this one is; K laws at once."""
        loc = torch.stack([self.colour(one) for one in law.loc])
        roots = [root for root, _ in self._roots]
        # One root for all numbers and several factors: their product is one factor too.
        factors = law.factors if len(roots) == len(law.factors) else (reduce(kron, law.factors),)
        return CodeNormal(loc, tuple(_triangle(root @ factor) for root, factor in zip(roots, factors, strict=True)))

    @cached_property
    def log_volume(self) -> Tensor:
        """log|det| of `colour`, half the covariance's log-determinant, in nats."""
        numbers = self.law.loc.numel()
        factors = self.law.factors
        return sum(numbers // len(f) * f.diagonal().log().sum() for f in factors) + factors[0].new_zeros(())

    @cached_property
    def _roots(self) -> list[tuple[Tensor, Tensor]]:
        """The symmetric root of each axis' covariance, and its inverse."""
        found = []
        for factor in self.law.factors:
            values, vectors = torch.linalg.eigh((factor @ factor.mT).cpu().double())
            roots = ((vectors * values.clamp(min=1e-300) ** power) @ vectors.mT for power in (0.5, -0.5))
            found.append(tuple(root.to(factor) for root in roots))
        return found

    def _along_axes(self, codes: Tensor, matrices: list[Tensor]) -> Tensor:
        seen = codes.reshape(-1, *self.law.axes)
        for axis, matrix in enumerate(matrices, start=1):
            seen = (seen.movedim(axis, -1) @ matrix).movedim(-1, axis)  # symmetric: no transpose
        return seen.reshape(codes.shape)

    def tensors(self) -> dict[str, Tensor]:
        return {"loc": self.law.loc, **{f"factor_{i}": factor for i, factor in enumerate(self.law.factors)}}

    def to(self, device: torch.device | str) -> GaussianPrior:
        return GaussianPrior(self.family, self.law.map(lambda tensor: tensor.to(device)))


def _moments(codes: Codes, progress: bool) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the aggregate posterior, float64.

    The covariance of the means is exact. Draws are only needed for the noise about them: their products with the means,
    which vanish on average, would tie noise to signal by chance.
    """
    passes = max(1, -(-DRAWS_PER_NUMBER * math.prod(codes.event_shape) // len(codes)))
    total, between, within = torch.zeros(()), torch.zeros(()), torch.zeros(())
    with bar("moments of the codes", passes * len(codes), progress) as advance:
        for step in range(passes):
            for (drawn, _labels), means in zip(codes.draws(), codes.means(), strict=True):
                centre, noise = _doubles(means), _doubles(drawn) - _doubles(means)
                within = within.to(noise) + noise.mT @ noise
                if step == 0:
                    total, between = total.to(centre) + centre.sum(0), between.to(centre) + centre.mT @ centre
                advance(len(noise))
    loc = total / len(codes)
    return loc, between / len(codes) - torch.outer(loc, loc) + within / (passes * len(codes))


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
