"""The scales of tensor-variate normal maps with the gauge fixed.

(c Omega, Psi / c) is one distribution for every c > 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.distributions import AbstractFactor, TensorNormal, map_marginals

__all__ = ["ScaleSums", "Scales", "fixed_gauge"]


def fixed_gauge(distribution: TensorNormal) -> tuple[Tensor, ...]:
    """The sides' scales with geometric mean 1, and the one scale that all had together.

        sqrt(Omega_ii Psi_jj) = total * row_i * column_j,   prod_i row_i = prod_j column_j = 1

    Only these are determined by the distribution: any share of `total` could sit on either side. `total` is the
    geometric mean of the standard deviations of the map's entries.

    Returns:
        for each side [*B, d_i], and total [*B], all positive.

    >>> from spatialvae.distributions import MatrixNormal
    >>> distribution = MatrixNormal(
    ...     torch.zeros(2, 2), row_scale=torch.tensor([1.0, 4.0]), column_scale=torch.tensor([3.0, 3.0])
    ... )
    >>> fixed_gauge(distribution)
    (tensor([0.5000, 2.0000]), tensor([1., 1.]), tensor(6.))
    """
    logs = [side.expand(distribution.batch_shape).stddev().log() for side in distribution.balanced]
    means = [log.mean(-1) for log in logs]
    normalised = [(log - mean.unsqueeze(-1)).exp() for log, mean in zip(logs, means, strict=True)]
    return (*normalised, reduce(add, means).exp())


@dataclass(frozen=True)
class Scales:
    """Scales of rows and columns with geometric mean 1, their common factor, and the correlations of neighbours."""

    row: tuple[float, ...]
    column: tuple[float, ...]
    total: float
    row_correlation: float
    column_correlation: float


@dataclass(frozen=True)
class ScaleSums:
    """Sums over maps of what the covariances of rows and columns are, the gauge fixed; two of them add up.

    >>> from spatialvae.distributions import MatrixNormal
    >>> distribution = MatrixNormal(
    ...     torch.zeros(5, 2, 1), row_scale=torch.tensor([1.0, 4.0]), column_scale=torch.ones(1)
    ... )
    >>> (ScaleSums.of(distribution) + ScaleSums.of(distribution)).means()
    Scales(row=(0.5, 2.0), column=(1.0,), total=2.0, row_correlation=0.0, column_correlation=0.0)
    """

    row: Tensor
    column: Tensor
    total: Tensor
    correlations: Tensor
    """Of neighbouring rows and of neighbouring columns, [2]."""
    count: int

    @classmethod
    def of(cls, distribution: Distribution) -> ScaleSums | None:
        """The sums over a batch of maps or codes, whatever its shape; None where it has no rows and columns."""
        one = distribution if isinstance(distribution, TensorNormal) else map_marginals(distribution)
        if not isinstance(one, TensorNormal) or len(one.event_shape) < 2:
            return None
        *_, row, column, total = (part.cpu().double().log() for part in fixed_gauge(one))
        rows, columns = row.reshape(-1, row.shape[-1]), column.reshape(-1, column.shape[-1])
        correlations = torch.stack([_neighbours(side.expand(one.batch_shape)) for side in one.balanced[-2:]])
        return cls(rows.sum(0), columns.sum(0), total.sum(), total.numel() * correlations, total.numel())

    def __add__(self, other: ScaleSums) -> ScaleSums:
        sums = (getattr(self, name) + getattr(other, name) for name in ("row", "column", "total", "correlations"))
        return ScaleSums(*sums, count=self.count + other.count)

    def means(self) -> Scales:
        """Geometric means of the scales, and means of the correlations."""
        across, along = (self.correlations / self.count).tolist()
        return Scales(
            row=tuple((self.row / self.count).exp().tolist()),
            column=tuple((self.column / self.count).exp().tolist()),
            total=(self.total / self.count).exp().item(),
            row_correlation=across,
            column_correlation=along,
        )


def _neighbours(side: AbstractFactor) -> Tensor:
    """The mean over a batch of the correlation between neighbours on a side, a float64 number; 0 for one site."""
    covariance = side.covariance().cpu().double()
    scale = covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    beside = covariance.diagonal(offset=1, dim1=-2, dim2=-1) / (scale[..., 1:] * scale[..., :-1])
    return beside.mean() if beside.numel() else torch.zeros((), dtype=torch.float64)
