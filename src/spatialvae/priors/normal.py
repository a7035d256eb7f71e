"""Normal distributions over whole codes, with a full covariance or a Kronecker product of one factor an axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from spatialvae.distributions import TensorNormal, TriangularFactor
from spatialvae.distributions.tensor_normal import kron

__all__ = ["JITTER", "SMALLEST", "CodeNormal", "axes_of", "cholesky"]

LARGEST_FULL = 4096
"""Numbers of a code up to which one covariance of all of them is kept."""
LARGEST_SITES = 256
"""Sites of a map up to which larger codes keep one covariance of all sites, beyond the maps' own."""
SMALLEST = 1e-12
"""Mean variance of codes that are all the same."""
JITTER = 1e-4
"""Of the mean variance: what is added to a fitted covariance's diagonal."""


def axes_of(event_shape: tuple[int, int, int], largest_full: int = LARGEST_FULL) -> tuple[int, ...]:
    """The axes that a code is seen along, each with a covariance: all numbers, maps and sites, or all three.

    >>> axes_of((128, 3, 3)), axes_of((64, 16, 16)), axes_of((4, 64, 64))
    ((1152,), (64, 256), (4, 64, 64))
    """
    maps, height, width = event_shape
    if maps * height * width <= largest_full:
        return (maps * height * width,)
    return (maps, height * width) if height * width <= LARGEST_SITES else event_shape


@dataclass(frozen=True, eq=False)
class CodeNormal:
    """N(loc, C_1 (x) ... (x) C_k), or K of them: `loc` [*K, maps, h, w], `factors` the Cholesky factors [*K, d, d].

    The product of the d is the number of numbers of a code. All of the mathematics of `gaussian` and `mixture`.

    >>> normal = CodeNormal(torch.zeros(2, 1, 2), (torch.eye(4),))
    >>> normal.log_prob(torch.zeros(5, 2, 1, 2)).shape, normal.sample(3).shape
    (torch.Size([5]), torch.Size([3, 2, 1, 2]))
    """

    loc: Tensor
    factors: tuple[Tensor, ...]

    @property
    def axes(self) -> tuple[int, ...]:
        return tuple(factor.shape[-1] for factor in self.factors)

    @property
    def event_shape(self) -> torch.Size:
        return self.loc.shape[-3:]

    def distribution(self) -> TensorNormal:
        """The same as a distribution over codes seen along `axes`."""
        sides = [TriangularFactor(factor) for factor in self.factors]
        return TensorNormal(self._along(self.loc), sides, validate_args=False)

    def one(self, k: int) -> CodeNormal:
        """The k-th of several."""
        return CodeNormal(self.loc[k], tuple(factor[k] for factor in self.factors))

    def map(self, function: Callable[[Tensor], Tensor]) -> CodeNormal:
        """The same with `function` applied to its tensors."""
        return CodeNormal(function(self.loc), tuple(map(function, self.factors)))

    def scaled(self, amount: float) -> CodeNormal:
        """The same with its standard deviations times `amount`."""
        return self if amount == 1 else CodeNormal(self.loc, (amount * self.factors[0], *self.factors[1:]))

    def shares(self, other: CodeNormal) -> bool:
        """Whether the factors of both are the same tensors, not just equal ones."""
        return all(mine is its for mine, its in zip(self.factors, other.factors, strict=True))

    def sample(self, count: int) -> Tensor:
        """Draws of a single one, [count, maps, h, w]."""
        return self.distribution().sample(torch.Size([count])).reshape(count, *self.event_shape)

    def log_prob(self, codes: Tensor) -> Tensor:
        """The log-density in nats of codes [*S, maps, h, w]: [*S], or [*S, K] under each of several."""
        seen = self._along(codes).to(self.loc.dtype)
        return self.distribution().log_prob(seen if self.loc.dim() == 3 else seen.unsqueeze(-len(self.axes) - 1))

    def variance(self) -> Tensor:
        """Of every number, [*K, maps, h, w]."""
        return self.distribution().variance.reshape(self.loc.shape)

    def given(self, code: Tensor, known: Tensor) -> tuple[CodeNormal, Tensor]:
        """The distribution of the cells that are not `known`, given those of `code`; the known numbers' log-density.

            m_u + C_uk C_kk^-1 (z_k - m_k),   C_uu - C_uk C_kk^-1 C_ku

        Args:
            code: [maps, height, width].
            known: bool [height, width].

        Returns:
            the distribution over [maps, unknown cells, 1], and [*K] nats.
        """
        maps, height, width = self.event_shape
        cells = known.flatten()
        if not bool(cells.any()):  # no condition
            first = self.factors[:1] if len(self.axes) > 1 else ()
            factors = (*first, reduce(kron, self.factors[len(first) :]))
            return CodeNormal(self.loc.flatten(-2).unsqueeze(-1), factors), self.loc.new_zeros(self.loc.shape[:-3])
        if len(self.axes) == 1:
            sides, inside = (), cells.repeat(maps)  # one axis of all numbers
        else:
            sides, inside = self.factors[:1], cells
        tril = reduce(kron, self.factors[len(sides) :])
        covariance = tril @ tril.mT
        loc, value = (t.reshape(*t.shape[:-3], *(maps,) * len(sides), -1) for t in (self.loc, code.to(self.loc.dtype)))
        if not len(sides):  # a row of one, so that both cases are matrices [rows, numbers]
            loc, value = loc.unsqueeze(-2), value.unsqueeze(-2)
        outer = covariance[..., ~inside, :][..., inside]
        inner = torch.linalg.cholesky(covariance[..., inside, :][..., inside])
        gain = torch.cholesky_solve(outer.mT, inner).mT
        centred = value[..., inside] - loc[..., inside]
        left = loc[..., ~inside] + centred @ gain.mT
        factor = cholesky(covariance[..., ~inside, :][..., ~inside] - gain @ outer.mT, jitter=1e-6)
        rows = sides or (torch.ones(1, 1, dtype=tril.dtype, device=tril.device),)
        sides_known = [TriangularFactor(rows[0]), TriangularFactor(inner)]
        evidence = TensorNormal(loc[..., inside], sides_known, validate_args=False).log_prob(value[..., inside])
        shape = (*left.shape[:-2], maps, height * width - int(cells.sum()), 1)
        return CodeNormal(left.reshape(shape), (*sides, factor)), evidence

    def _along(self, codes: Tensor) -> Tensor:
        return codes.reshape(*codes.shape[:-3], *self.axes)


def cholesky(covariance: Tensor, jitter: float = JITTER) -> Tensor:
    """The Cholesky factor of C + jitter * (mean variance) * I, [*, d, d]."""
    level = covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None].clamp(min=SMALLEST)
    identity = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
    return torch.linalg.cholesky(covariance + jitter * level * identity)
