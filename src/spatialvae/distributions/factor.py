"""Square-root factors L of a covariance L L^T: diagonal, lower triangular or autoregressive, one interface for all.

A tensor-variate normal has one covariance for each of its sides, each of its own form. Everything it computes is made
of the few operations here, so that mixed forms (one side diagonal, another not) need no code of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import constraints


@dataclass(frozen=True, eq=False)
class AbstractFactor(ABC):
    """A factor L [*B, d, d] of the covariance L L^T; batch shapes broadcast and are never filled in.

    The fields of a subclass are its parameters.
    """

    axes: ClassVar[dict[str, int]]
    """For each parameter how many of its last axes are not batch."""
    constraint: ClassVar[dict[str, tuple[constraints.Constraint, str]]]
    """For each parameter the values that it may have, and the rule in words."""

    @property
    @abstractmethod
    def size(self) -> int:
        """d, the length of the side."""

    @property
    def parameters(self) -> dict[str, Tensor]:
        """The parameters by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def batch_shape(self) -> torch.Size:
        """B, which all parameters broadcast to."""
        return torch.broadcast_shapes(*(t.shape[: t.dim() - self.axes[name]] for name, t in self.parameters.items()))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The factor with `function` applied to every parameter."""
        return replace(self, **{name: function(tensor) for name, tensor in self.parameters.items()})

    def expand(self, batch_shape: torch.Size) -> Self:
        """The same factor with batch shape `batch_shape`; what fits already stays the same tensor."""
        shapes = {n: batch_shape + t.shape[t.dim() - self.axes[n] :] for n, t in self.parameters.items()}
        return replace(
            self, **{n: t if t.shape == shapes[n] else t.expand(shapes[n]) for n, t in self.parameters.items()}
        )

    def repeated(self) -> Self:
        """The same factor with one batch axis of length 1 put last."""
        return replace(self, **{n: t.unsqueeze(t.dim() - self.axes[n]) for n, t in self.parameters.items()})

    def check(self, side: str) -> None:
        """Refuse values out of range; ValueError of one line that names the value and the rule."""
        for name, tensor in self.parameters.items():
            allowed, rule = self.constraint[name]
            valid = allowed.check(tensor)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            if not bool(valid.all()):  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
                first = tensor[~valid][0]
                value = f"{first.item():g}" if first.dim() == 0 else str(first.tolist())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
                raise ValueError(f"{side}{name} holds {value}, but {rule}.")

    @abstractmethod
    def multiply(self, matrix: Tensor) -> Tensor:
        """L X for X [*B, d, k]."""

    @abstractmethod
    def solve(self, matrix: Tensor) -> Tensor:
        """L^-1 X for X [*B, d, k]."""

    @abstractmethod
    def scaled(self, amount: Tensor) -> Self:
        """amount L for numbers `amount` [*B]."""

    @abstractmethod
    def largest(self) -> Tensor:
        """The size of the largest number that L is made of, [*B]."""

    def whiten(self, other: AbstractFactor) -> AbstractFactor:
        """The factor L^-1 L_other; its squared norm is tr((L L^T)^-1 L_other L_other^T)."""
        return TriangularFactor(self.solve(other.tril()))

    @abstractmethod
    def squared_norm(self) -> Tensor:
        """||L||_F^2 = tr(L L^T), [*B]."""

    @abstractmethod
    def log_determinant(self) -> Tensor:
        """log|L| = 1/2 log|L L^T|, [*B]."""

    @abstractmethod
    def stddev(self) -> Tensor:
        """Square roots of the diagonal of L L^T, [*B, d]."""

    @abstractmethod
    def inverse_stddev(self) -> Tensor:
        """Square roots of the diagonal of (L L^T)^-1, [*B, d]."""

    def covariance(self) -> Tensor:
        """L L^T, [*B, d, d]."""
        factor = self.tril()
        return factor @ factor.mT

    @abstractmethod
    def tril(self) -> Tensor:
        """L itself as a dense matrix, [*B, d, d]."""


POSITIVE = constraints.positive, "a standard deviation is positive: take its absolute value, or exp of a free number"


@dataclass(frozen=True, eq=False)
class DiagonalFactor(AbstractFactor):
    """L = diag(scale) for standard deviations `scale` [*B, d]: every operation is elementwise.

    >>> DiagonalFactor(torch.tensor([1.0, 2.0])).multiply(torch.ones(2, 3))
    tensor([[1., 1., 1.],
            [2., 2., 2.]])
    """

    scale: Tensor

    axes: ClassVar = {"scale": 1}
    constraint: ClassVar = {"scale": POSITIVE}

    @property
    def size(self) -> int:
        return self.scale.shape[-1]

    def multiply(self, matrix: Tensor) -> Tensor:
        return self.scale.unsqueeze(-1) * matrix

    def solve(self, matrix: Tensor) -> Tensor:
        return matrix / self.scale.unsqueeze(-1)

    def scaled(self, amount: Tensor) -> DiagonalFactor:
        return DiagonalFactor(amount.unsqueeze(-1) * self.scale)

    def largest(self) -> Tensor:
        return self.scale.amax(-1)

    def whiten(self, other: AbstractFactor) -> AbstractFactor:
        if isinstance(other, DiagonalFactor):
            return DiagonalFactor(other.scale / self.scale)
        return super().whiten(other)

    def squared_norm(self) -> Tensor:
        return self.scale.square().sum(-1)

    def log_determinant(self) -> Tensor:
        return self.scale.log().sum(-1)

    def stddev(self) -> Tensor:
        return self.scale

    def inverse_stddev(self) -> Tensor:
        return self.scale.reciprocal()

    def covariance(self) -> Tensor:
        return self.scale.square().diag_embed()

    def tril(self) -> Tensor:
        return self.scale.diag_embed()


@dataclass(frozen=True, eq=False)
class TriangularFactor(AbstractFactor):
    """L = `scale_tril` [*B, d, d], lower triangular with a positive diagonal: triangular solves, no inverse.

    >>> TriangularFactor(torch.tensor([[2.0, 0.0], [3.0, 4.0]])).stddev()
    tensor([2., 5.])
    """

    scale_tril: Tensor

    axes: ClassVar = {"scale_tril": 2}
    constraint: ClassVar = {
        "scale_tril": (
            constraints.lower_cholesky,
            "a factor is lower triangular with a positive diagonal: take torch.linalg.cholesky of its covariance",
        )
    }

    @property
    def size(self) -> int:
        return self.scale_tril.shape[-1]

    def multiply(self, matrix: Tensor) -> Tensor:
        return self.scale_tril @ matrix

    def solve(self, matrix: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(self.scale_tril, matrix, upper=False)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    def scaled(self, amount: Tensor) -> TriangularFactor:
        return TriangularFactor(amount[..., None, None] * self.scale_tril)

    def largest(self) -> Tensor:
        return self.scale_tril.abs().amax((-2, -1))

    def squared_norm(self) -> Tensor:
        return self.scale_tril.square().sum((-2, -1))

    def log_determinant(self) -> Tensor:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def stddev(self) -> Tensor:
        return torch.linalg.vector_norm(self.scale_tril, dim=-1)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    def inverse_stddev(self) -> Tensor:
        # (L L^T)^-1 = L^-T L^-1, so its diagonal holds the squared norms of the columns of L^-1.
        identity = torch.eye(self.size, dtype=self.scale_tril.dtype, device=self.scale_tril.device)
        return torch.linalg.vector_norm(self.solve(identity), dim=-2)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    def tril(self) -> Tensor:
        return self.scale_tril
