"""The matrix-variate normal distribution: the tensor-variate one with two sides, rows and columns."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.distributions import constraints

from .autoregressive import AutoregressiveFactor
from .factor import AbstractFactor, DiagonalFactor, TriangularFactor
from .tensor_normal import TensorNormal

__all__ = ["MatrixNormal"]


class MatrixNormal(TensorNormal):
    r"""The distribution of a random matrix whose rows and whose columns are correlated separately.

    A ~ N(M, Omega (x) Psi) with A = M + L_row E L_column^T, where E holds independent standard normals,
    Omega = L_row L_row^T is the covariance across rows and Psi = L_column L_column^T the one across columns:

        log p(A) = -1/2 tr(Omega^-1 (A - M) Psi^-1 (A - M)^T) - mn/2 log(2 pi) - n/2 log|Omega| - m/2 log|Psi|

    Flattened row by row, A is normal with covariance kron(Omega, Psi), a matrix that is never formed: a side
    costs triangular products and solves, or elementwise ones if diagonal. (c Omega, Psi / c) is the same distribution
    for every c > 0.

    Each side takes exactly one of its scales, and with `scale` a correlation if it has one. Batch shapes broadcast, and
    the parameters come back broadcast; those not given are None. Mixed dtypes are promoted to the widest.

    Args:
        loc: the mean M, [*B, m, n].
        row_scale: standard deviations across rows, [*B, m], positive: Omega = diag(row_scale^2).
        row_scale_tril: lower Cholesky factor of Omega, [*B, m, m].
        column_scale: standard deviations across columns, [*B, n], positive: Psi = diag(column_scale^2).
        column_scale_tril: lower Cholesky factor of Psi, [*B, n, n].
        row_correlation: of neighbouring rows, [*B], in (-1, 1): Omega_ij = row_scale_i row_scale_j r^|i-j|.
        column_correlation: of neighbouring columns, [*B], in (-1, 1).
        validate_args: check values too, as everywhere in `torch.distributions`.

    Raises:
        ValueError: a side has both or neither of its scales, shapes do not fit, values are out of range.

    References:
        A. K. Gupta and D. K. Nagar, Matrix Variate Distributions, 1999, chapter 2.
        Z. Wang, H. Yuan and S. Ji, Spatial Variational Auto-Encoding via Matrix-Variate Normal Distributions,
        arXiv:1705.06821, section 3.3.

    >>> q = MatrixNormal(torch.zeros(8, 2, 3), row_scale=torch.ones(2), column_scale_tril=2 * torch.eye(3))
    >>> q.row_scale.shape, q.column_scale_tril.shape
    (torch.Size([8, 2]), torch.Size([8, 3, 3]))
    >>> q.rsample((5,)).shape, q.log_prob(torch.zeros(2, 3)).shape
    (torch.Size([5, 8, 2, 3]), torch.Size([8]))
    >>> q.variance[0]
    tensor([[4., 4., 4.],
            [4., 4., 4.]])
    """

    support = constraints.independent(constraints.real, 2)  # pyright: ignore
    row_scale: Tensor | None
    row_scale_tril: Tensor | None
    row_correlation: Tensor | None
    column_scale: Tensor | None
    column_scale_tril: Tensor | None
    column_correlation: Tensor | None

    def __init__(
        self,
        loc: Tensor,
        row_scale: Tensor | None = None,
        row_scale_tril: Tensor | None = None,
        column_scale: Tensor | None = None,
        column_scale_tril: Tensor | None = None,
        row_correlation: Tensor | None = None,
        column_correlation: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 2:
            raise ValueError(f"loc has shape {list(loc.shape)}, but MatrixNormal wants [*B, m, n].")
        sides = [
            _side("row", "m", loc, {"scale": row_scale, "scale_tril": row_scale_tril}, row_correlation),
            _side("column", "n", loc, {"scale": column_scale, "scale_tril": column_scale_tril}, column_correlation),
        ]
        super().__init__(loc, sides, validate_args=validate_args)

    @classmethod
    def of_sides(cls, loc: Tensor, row: AbstractFactor, column: AbstractFactor) -> MatrixNormal:
        """The distribution with these two factors, values unchecked."""
        given = {f"row_{name}": value for name, value in row.parameters.items()}
        given |= {f"column_{name}": value for name, value in column.parameters.items()}
        return cls(loc, **given, validate_args=False)

    @staticmethod
    def _labels(count: int) -> list[str]:
        return ["row_", "column_"]

    def _set_parameters(self, batch_shape: torch.Size, loc: Tensor) -> None:
        super()._set_parameters(batch_shape, loc)
        for label, side in zip(self._labels(2), self._sides, strict=True):
            given = side.expand(batch_shape).parameters
            for name in ("scale", "scale_tril", "correlation"):
                setattr(self, label + name, given.get(name))

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The constraints of the parameters this instance was given."""
        allowed_values: dict[str, constraints.Constraint] = {"loc": constraints.independent(constraints.real, 2)}
        for label, side in zip(self._labels(2), self._sides, strict=True):
            for name, (allowed, _) in side.constraint.items():
                allowed_values[label + name] = constraints.independent(allowed, 1) if name == "scale" else allowed
        return allowed_values

    @property
    def row_covariance(self) -> Tensor:
        """Omega, [*B, m, m]; only its product with Psi is determined by the distribution."""
        return self._covariance(0)

    @property
    def column_covariance(self) -> Tensor:
        """Psi, [*B, n, n]; only its product with Omega is determined by the distribution."""
        return self._covariance(1)

    def _covariance(self, side: int) -> Tensor:
        covariance = self._sides[side].covariance()
        return covariance.expand(self.batch_shape + covariance.shape[-2:])

    def expand(self, batch_shape: torch.Size | list[int] | tuple[int, ...], _instance: Any = None) -> MatrixNormal:
        """The same distribution with its batch expanded to `batch_shape`, sharing memory with this one.

        >>> distribution = MatrixNormal(torch.zeros(2, 3), row_scale=torch.ones(2), column_scale=torch.ones(3))
        >>> distribution.expand([4]).batch_shape
        torch.Size([4])
        """
        return cast(MatrixNormal, super().expand(batch_shape, self._get_checked_instance(MatrixNormal, _instance)))  # pyright: ignore[reportUnknownMemberType]


def _side(
    label: str, letter: str, loc: Tensor, scales: dict[str, Tensor | None], correlation: Tensor | None
) -> AbstractFactor:
    """The factor of a side, which takes exactly one of its scales, of the size that `loc` wants."""
    given = {name: value for name, value in scales.items() if value is not None}
    if len(given) != 1:
        count = "both" if given else "none"
        raise ValueError(
            f"MatrixNormal takes exactly one of {label}_scale and {label}_scale_tril, but {count} are given."
        )
    [(name, scale)] = given.items()
    size, axes = loc.shape[-2 if label == "row" else -1], 1 if name == "scale" else 2
    if scale.dim() < axes or scale.shape[-axes:] != (size,) * axes:
        wanted = ", ".join([letter] * axes)
        raise ValueError(
            f"{label}_{name} has shape {list(scale.shape)}, but loc {list(loc.shape)} wants [*B, {wanted}] with "
            f"{letter} = {size}."
        )
    if correlation is None:
        return DiagonalFactor(scale) if name == "scale" else TriangularFactor(scale)
    if name == "scale_tril":
        raise ValueError(
            f"{label}_scale_tril has its correlations already: give {label}_correlation with {label}_scale."
        )
    return AutoregressiveFactor(scale, correlation)
