"""The distribution of a mixture's codes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.priors.code_distribution import AbstractCodeDistribution
from spatialvae.priors.gaussian import GaussianPrior
from spatialvae.priors.mixture.conditional import GivenCells
from spatialvae.priors.mixture.kronecker import Components
from spatialvae.priors.normal import CodeNormal

__all__ = ["MixtureCodes", "along"]


class MixtureCodes(AbstractCodeDistribution):
    """z ~ sum_k w_k N(m_k, C_k) over whole codes, or so for y = whiten(z): batch [], event [maps, height, width].

    With directions B the components are of s = B^T y, and (I - B B^T) y is noise of variance T^2 beside it:

        log p(z) = log sum_k w_k N(s; m_k, C_k) + log N((I - B B^T) y; 0, T^2 (I - B B^T)) - log|det colour|.

    Args:
        components: weights, means and factors, the latter at the temperature already.
        base: the Gaussian in whose whitened coordinates they are; None for the codes' own.
        basis: orthonormal directions of these coordinates [numbers, k]; None for all of them.
        temperature: T, the standard deviation of the noise along other directions.
    """

    def __init__(
        self,
        components: Components,
        base: GaussianPrior | None = None,
        basis: Tensor | None = None,
        temperature: float = 1.0,
    ) -> None:
        self.components, self.base, self.basis, self.temperature = components, base, basis, temperature
        super().__init__(components.normal.event_shape if base is None else base.event_shape)

    @property
    def mean(self) -> Tensor:
        weights = self.components.log_weights.softmax(0)
        mean = (weights[:, None, None, None] * self.components.normal.loc).sum(0)
        return self._codes(mean[None], temperature=0.0)[0]

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape, normal = torch.Size(sample_shape), self.components.normal
        chosen = torch.multinomial(self.components.log_weights.exp(), shape.numel(), replacement=True)
        drawn = normal.loc.new_empty(shape.numel(), *normal.event_shape)
        for k in chosen.unique().tolist():
            mine = chosen == k
            drawn[mine] = normal.one(k).sample(int(mine.sum()))
        return self._codes(drawn, self.temperature).reshape(*shape, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        if self.base is None:
            return self.components.joint(value).logsumexp(-1)
        white = self.base.whiten(value)
        if self.basis is None:
            return self.components.joint(white).logsumexp(-1) - self.base.log_volume
        seen = along(self.basis, white)
        rest = (white.flatten(-3).square().sum(-1) - seen.flatten(-3).square().sum(-1)) / self.temperature**2
        others = len(self.basis) - self.basis.shape[1]
        noise = -0.5 * rest - others * (math.log(self.temperature) + 0.5 * math.log(2 * math.pi))
        return self.components.joint(seen).logsumexp(-1) + noise - self.base.log_volume

    def given_cells(self, code: Tensor, known: Tensor) -> Distribution:
        rest, evidence = self.over_codes().given(code, known)
        weights = (self.components.log_weights + evidence).log_softmax(0)
        return GivenCells(MixtureCodes(Components(weights, rest)), code, known)

    def over_codes(self) -> CodeNormal:
        """The components as distributions over whole codes.

        Of directions B and a factor L a square root of I - B B^T + B L L^T B^T is I - B B^T + B L B^T.
        """
        normal, basis = self.components.normal, self.basis
        if self.base is None:
            return normal
        if basis is not None:
            noise = self.temperature * (torch.eye(len(basis)).to(basis) - basis @ basis.mT)
            loc = (normal.loc.flatten(1) @ basis.mT).reshape(-1, *self.event_shape)
            normal = CodeNormal(loc, (noise + basis @ normal.factors[0] @ basis.mT,))
        return self.base.coloured(normal)

    def _codes(self, seen: Tensor, temperature: float) -> Tensor:
        """The codes of what the components describe, [n, *], with noise along the other directions."""
        if self.base is None:
            return seen
        if self.basis is None:
            return self.base.colour(seen)
        noise = temperature * torch.randn(len(seen), len(self.basis)).to(seen)
        white = noise + (seen.flatten(1) - noise @ self.basis) @ self.basis.mT
        return self.base.colour(white.reshape(-1, *self.event_shape))


def along(basis: Tensor, white: Tensor) -> Tensor:
    """B^T y of whitened codes [*S, maps, h, w]: [*S, k, 1, 1]."""
    return (white.flatten(-3) @ basis)[..., None, None]
