"""The square-root factor of an autoregressive covariance: neighbours are alike, at the price of one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from .factor import POSITIVE, AbstractFactor

__all__ = ["AutoregressiveFactor"]


@dataclass(frozen=True, eq=False)
class AutoregressiveFactor(AbstractFactor):
    """L L^T = [s_i s_j r^|i - j|] for standard deviations s = `scale` [*B, d] and r = `correlation` [*B], |r| < 1.

    x = L e is the recurrence x_0 = s_0 e_0, x_i / s_i = r x_{i-1} / s_{i-1} + sqrt(1 - r^2) e_i, so

        log|L| = sum_i log s_i + (d - 1)/2 log(1 - r^2),

    L^-1 has two diagonals, and nothing but `whiten` and `covariance` needs more than O(d log d) numbers.

    >>> factor = AutoregressiveFactor(torch.tensor([1.0, 2.0, 1.0]), torch.tensor(0.5))
    >>> factor.covariance()
    tensor([[1.0000, 1.0000, 0.2500],
            [1.0000, 4.0000, 1.0000],
            [0.2500, 1.0000, 1.0000]])
    """

    scale: Tensor
    correlation: Tensor

    axes: ClassVar = {"scale": 1, "correlation": 0}
    constraint: ClassVar = {
        "scale": POSITIVE,
        "correlation": (constraints.interval(-1 + 1e-6, 1 - 1e-6), "a correlation lies between -1 and 1"),
    }

    @property
    def size(self) -> int:
        return self.scale.shape[-1]

    @property
    def _innovation(self) -> Tensor:
        """sqrt(1 - r^2), [*B]; (1 - r)(1 + r) keeps the digits near |r| = 1."""
        return ((1 - self.correlation) * (1 + self.correlation)).sqrt()

    def multiply(self, matrix: Tensor) -> Tensor:
        fresh = self._innovation[..., None, None] * matrix
        x = torch.cat([matrix[..., :1, :].expand_as(fresh[..., :1, :]), fresh[..., 1:, :]], -2)
        # Doubling: after k rounds x_i holds the last 2^k terms of sum_j r^(i-j) e_j.
        power, step = self.correlation[..., None, None], 1
        while step < self.size:
            x = torch.cat([x[..., :step, :], x[..., step:, :] + power * x[..., :-step, :]], -2)
            power, step = power.square(), 2 * step
        return self.scale.unsqueeze(-1) * x

    def solve(self, matrix: Tensor) -> Tensor:
        x = matrix / self.scale.unsqueeze(-1)
        r, innovation = self.correlation[..., None, None], self._innovation[..., None, None]
        later = (x[..., 1:, :] - r * x[..., :-1, :]) / innovation
        return torch.cat([x[..., :1, :].expand(*later.shape[:-2], 1, later.shape[-1]), later], -2)

    def scaled(self, amount: Tensor) -> AutoregressiveFactor:
        return AutoregressiveFactor(amount.unsqueeze(-1) * self.scale, self.correlation)

    def largest(self) -> Tensor:
        return self.scale.amax(-1)

    def squared_norm(self) -> Tensor:
        return self.scale.square().sum(-1)

    def log_determinant(self) -> Tensor:
        return self.scale.log().sum(-1) + (self.size - 1) * self._innovation.log()

    def stddev(self) -> Tensor:
        return self.scale

    def inverse_stddev(self) -> Tensor:
        # The inverse of r^|i-j| is tridiagonal; its diagonal is 1, 1 + r^2, ..., 1 + r^2, 1 over 1 - r^2.
        if self.size == 1:
            return self.scale.reciprocal()
        r = self.correlation.unsqueeze(-1)
        inner = (1 + r.square()).sqrt().expand(*r.shape[:-1], self.size - 2)
        ends = torch.ones_like(r)
        return torch.cat([ends, inner, ends], -1) / (self._innovation.unsqueeze(-1) * self.scale)

    def tril(self) -> Tensor:
        shape = (*self.batch_shape, self.size, self.size)
        identity = torch.eye(self.size, dtype=self.scale.dtype, device=self.scale.device)
        return self.multiply(identity).expand(shape)
