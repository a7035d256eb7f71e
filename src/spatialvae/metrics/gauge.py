"""The scales of matrix-normal maps with the gauge fixed: (c Omega, Psi / c) is one law for every c > 0."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.distributions import MatrixNormal

__all__ = ["ScaleSums", "fixed_gauge"]


def fixed_gauge(law: MatrixNormal) -> tuple[Tensor, Tensor, Tensor]:
    """The row and the column scales with geometric mean 1, and the one scale that both had together.

        sqrt(Omega_ii Psi_jj) = total * row_i * column_j,   prod_i row_i = prod_j column_j = 1

    Only these are determined by the law: any share of `total` could sit on either side. `total` is the geometric mean
    of the standard deviations of the map's entries.

    Returns:
        row [*B, m], column [*B, n] and total [*B], all positive.

    >>> law = MatrixNormal(torch.zeros(2, 2), row_scale=torch.tensor([1.0, 4.0]), column_scale=torch.tensor([3.0, 3.0]))
    >>> fixed_gauge(law)
    (tensor([0.5000, 2.0000]), tensor([1., 1.]), tensor(6.))
    """
    row = _stddev(law.row_scale, law.row_scale_tril).log()
    column = _stddev(law.column_scale, law.column_scale_tril).log()
    row_mean, column_mean = row.mean(-1, keepdim=True), column.mean(-1, keepdim=True)
    return (row - row_mean).exp(), (column - column_mean).exp(), (row_mean + column_mean).squeeze(-1).exp()


def _stddev(scale: Tensor | None, scale_tril: Tensor | None) -> Tensor:
    """A side's standard deviations, from whichever of its two parameters it has."""
    if scale is not None:
        return scale
    assert scale_tril is not None  # a side has one of the two
    return torch.linalg.vector_norm(scale_tril, dim=-1)


@dataclass(frozen=True)
class ScaleSums:
    """Sums over maps of the logarithms of the scales with the gauge fixed; two of them add up.

    >>> law = MatrixNormal(torch.zeros(5, 2, 1), row_scale=torch.tensor([1.0, 4.0]), column_scale=torch.ones(1))
    >>> (ScaleSums.of(law) + ScaleSums.of(law)).geometric_means()
    {'row_scale': [0.5, 2.0], 'column_scale': [1.0], 'total_scale': 2.0}
    """

    row: Tensor
    column: Tensor
    total: Tensor
    maps: int

    @classmethod
    def of(cls, law: Distribution) -> ScaleSums | None:
        """The sums over a batch of maps, whatever its batch shape; None for a law without rows and columns."""
        if not isinstance(law, MatrixNormal):
            return None
        row, column, total = (part.cpu().double().log() for part in fixed_gauge(law))
        rows, columns = row.reshape(-1, row.shape[-1]), column.reshape(-1, column.shape[-1])
        return cls(rows.sum(0), columns.sum(0), total.sum(), total.numel())

    def __add__(self, other: ScaleSums) -> ScaleSums:
        return ScaleSums(
            self.row + other.row, self.column + other.column, self.total + other.total, self.maps + other.maps
        )

    def geometric_means(self) -> dict[str, list[float] | float]:
        """`row_scale` [h], `column_scale` [w] and `total_scale`, geometric means over all maps summed."""
        return {
            "row_scale": (self.row / self.maps).exp().tolist(),
            "column_scale": (self.column / self.maps).exp().tolist(),
            "total_scale": (self.total / self.maps).exp().item(),
        }
