"""Square-root factors L of a covariance L L^T: diagonal or lower triangular, one interface for both.

A matrix-variate normal has two covariances, each of its own form. Everything it computes is said in the few
operations here, so that the mixed cases (one side diagonal, the other not) need no code of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


class AbstractFactor(ABC):
    """A factor L [*B, d, d] of the covariance L L^T; batch shapes broadcast and are never filled in."""

    @abstractmethod
    def multiply(self, matrix: Tensor) -> Tensor:
        """L X for X [*B, d, k]."""

    @abstractmethod
    def solve(self, matrix: Tensor) -> Tensor:
        """L^-1 X for X [*B, d, k]."""

    @abstractmethod
    def whiten(self, other: AbstractFactor) -> AbstractFactor:
        """The factor L^-1 L_other; its squared norm is tr((L L^T)^-1 L_other L_other^T)."""

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

    @abstractmethod
    def covariance(self) -> Tensor:
        """L L^T, [*B, d, d]."""

    @abstractmethod
    def tril(self) -> Tensor:
        """L itself as a dense matrix, [*B, d, d]."""


@dataclass(frozen=True, eq=False)
class DiagonalFactor(AbstractFactor):
    """L = diag(scale) for standard deviations `scale` [*B, d]: every operation is elementwise.

    >>> DiagonalFactor(torch.tensor([1.0, 2.0])).multiply(torch.ones(2, 3))
    tensor([[1., 1., 1.],
            [2., 2., 2.]])
    """

    scale: Tensor

    def multiply(self, matrix: Tensor) -> Tensor:
        return self.scale.unsqueeze(-1) * matrix

    def solve(self, matrix: Tensor) -> Tensor:
        return matrix / self.scale.unsqueeze(-1)

    def whiten(self, other: AbstractFactor) -> AbstractFactor:
        if isinstance(other, DiagonalFactor):
            return DiagonalFactor(other.scale / self.scale)
        return TriangularFactor(self.solve(other.tril()))

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

    def multiply(self, matrix: Tensor) -> Tensor:
        return self.scale_tril @ matrix

    def solve(self, matrix: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(self.scale_tril, matrix, upper=False)

    def whiten(self, other: AbstractFactor) -> AbstractFactor:
        return TriangularFactor(self.solve(other.tril()))

    def squared_norm(self) -> Tensor:
        return self.scale_tril.square().sum((-2, -1))

    def log_determinant(self) -> Tensor:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def stddev(self) -> Tensor:
        return torch.linalg.vector_norm(self.scale_tril, dim=-1)

    def inverse_stddev(self) -> Tensor:
        # (L L^T)^-1 = L^-T L^-1, so its diagonal holds the squared norms of the columns of L^-1.
        identity = torch.eye(self.scale_tril.shape[-1], dtype=self.scale_tril.dtype, device=self.scale_tril.device)
        return torch.linalg.vector_norm(self.solve(identity), dim=-2)

    def covariance(self) -> Tensor:
        return self.scale_tril @ self.scale_tril.mT

    def tril(self) -> Tensor:
        return self.scale_tril
