"""The matrix-variate normal law, as a `torch.distributions.Distribution`."""

from __future__ import annotations

import math
from functools import reduce
from typing import cast

import torch
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal, constraints

from .factor import AbstractFactor, DiagonalFactor, TriangularFactor


class MatrixNormal(Distribution):
    r"""The law of a random matrix whose rows and whose columns are correlated separately.

    A ~ N(M, Omega (x) Psi) with A = M + L_row E L_column^T, where E holds independent standard normals,
    Omega = L_row L_row^T is the covariance across rows and Psi = L_column L_column^T the one across columns:

        log p(A) = -1/2 tr(Omega^-1 (A - M) Psi^-1 (A - M)^T) - mn/2 log(2 pi) - n/2 log|Omega| - m/2 log|Psi|

    Flattened row by row, A is normal with covariance kron(Omega, Psi), a matrix that is never formed: a side
    costs triangular products and solves, or elementwise ones if diagonal. (c Omega, Psi / c) is the same law
    for every c > 0.

    Each side takes exactly one of its two parameters. Batch shapes broadcast, and the parameters come back
    broadcast; those not given are None. Mixed dtypes are promoted to the widest.

    Args:
        loc: the mean M, [*B, m, n].
        row_scale: standard deviations across rows, [*B, m], positive: Omega = diag(row_scale^2).
        row_scale_tril: lower Cholesky factor of Omega, [*B, m, m].
        column_scale: standard deviations across columns, [*B, n], positive: Psi = diag(column_scale^2).
        column_scale_tril: lower Cholesky factor of Psi, [*B, n, n].
        validate_args: check values too, as everywhere in `torch.distributions`.

    Raises:
        ValueError: a side has both or neither of its parameters, shapes do not fit, values are out of range.

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
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        row_scale: Tensor | None = None,
        row_scale_tril: Tensor | None = None,
        column_scale: Tensor | None = None,
        column_scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 2:
            raise ValueError(f"loc has shape {list(loc.shape)}, but MatrixNormal wants [*B, m, n].")
        sides = {"row_scale": row_scale, "row_scale_tril": row_scale_tril}
        sides |= {"column_scale": column_scale, "column_scale_tril": column_scale_tril}
        given = {name: parameter for name, parameter in sides.items() if parameter is not None}
        _check_side("row", "m", loc, given)
        _check_side("column", "n", loc, given)
        batch_shape = _broadcast_batch(loc, given)

        dtype = reduce(torch.promote_types, (parameter.dtype for parameter in given.values()), loc.dtype)
        given = {name: parameter.to(dtype) for name, parameter in given.items()}
        self._row = _factor("row", given)
        self._column = _factor("column", given)
        self._set_parameters(batch_shape, loc.to(dtype))
        super().__init__(batch_shape, loc.shape[-2:], validate_args=validate_args)

    def _set_parameters(self, batch_shape: torch.Size, loc: Tensor) -> None:
        """Store the parameters as the caller sees them: broadcast, though the factors compute unbroadcast."""
        self.loc = _expand(loc, batch_shape + loc.shape[-2:])
        self.row_scale, self.row_scale_tril = _parameters(self._row, batch_shape)
        self.column_scale, self.column_scale_tril = _parameters(self._column, batch_shape)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The constraints of the parameters this instance was given."""
        found: dict[str, constraints.Constraint] = {"loc": constraints.independent(constraints.real, 2)}
        for side, factor in (("row", self._row), ("column", self._column)):
            if isinstance(factor, DiagonalFactor):
                found[f"{side}_scale"] = constraints.independent(constraints.positive, 1)
            else:
                found[f"{side}_scale_tril"] = constraints.lower_cholesky
        return found

    @property
    def mean(self) -> Tensor:
        """M, [*B, m, n]."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """M, [*B, m, n]."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """sqrt(Omega_ii Psi_jj) of each entry, [*B, m, n]."""
        outer = self._row.stddev().unsqueeze(-1) * self._column.stddev().unsqueeze(-2)
        return _expand(outer, self.loc.shape)

    @property
    def variance(self) -> Tensor:
        """Omega_ii Psi_jj of each entry, [*B, m, n]."""
        return self.stddev.square()

    @property
    def row_covariance(self) -> Tensor:
        """Omega, [*B, m, m]; only its product with Psi is determined by the law."""
        covariance = self._row.covariance()
        return _expand(covariance, self.batch_shape + covariance.shape[-2:])

    @property
    def column_covariance(self) -> Tensor:
        """Psi, [*B, n, n]; only its product with Omega is determined by the law."""
        covariance = self._column.covariance()
        return _expand(covariance, self.batch_shape + covariance.shape[-2:])

    def rsample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        """Draw A = M + L_row E L_column^T with gradients to every parameter, [*sample_shape, *B, m, n].

        >>> law = MatrixNormal(torch.zeros(2, 3), row_scale=torch.ones(2), column_scale=torch.ones(3))
        >>> law.rsample((7,)).shape
        torch.Size([7, 2, 3])
        """
        shape = self._extended_shape(torch.Size(sample_shape))
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + self._column.multiply(self._row.multiply(noise).mT).mT

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density in nats at `value` [*S, *B, m, n], of shape [*S, *B].

        -1/2 ||X||^2 - mn/2 log(2 pi) - n log|L_row| - m log|L_column|   with X = L_row^-1 (A - M) L_column^-T

        >>> law = MatrixNormal(torch.zeros(1, 1), row_scale=torch.ones(1), column_scale=torch.ones(1))
        >>> law.log_prob(torch.zeros(1, 1))
        tensor(-0.9189)
        """
        if self._validate_args:
            self._validate_sample(value)
        size = self.event_shape.numel()
        quadratic = self._standardise(value - self.loc).square().sum((-2, -1))
        return -0.5 * (quadratic + size * math.log(2 * math.pi)) - self._log_volume()

    def entropy(self) -> Tensor:
        """The entropy mn/2 (1 + log(2 pi)) + n/2 log|Omega| + m/2 log|Psi| in nats, [*B].

        >>> MatrixNormal(torch.zeros(1, 1), row_scale=torch.ones(1), column_scale=torch.ones(1)).entropy()
        tensor(1.4189)
        """
        size = self.event_shape.numel()
        return _expand(self._log_volume() + 0.5 * size * (1 + math.log(2 * math.pi)), self.batch_shape)

    def expand(self, batch_shape: torch.Size | list[int] | tuple[int, ...], _instance=None) -> MatrixNormal:
        """The same law with its batch expanded to `batch_shape`, sharing memory with this one.

        >>> law = MatrixNormal(torch.zeros(2, 3), row_scale=torch.ones(2), column_scale=torch.ones(3))
        >>> law.expand([4]).batch_shape
        torch.Size([4])
        """
        new = cast(MatrixNormal, self._get_checked_instance(MatrixNormal, _instance))
        batch_shape = torch.Size(batch_shape)
        new._row, new._column = self._row, self._column
        MatrixNormal._set_parameters(new, batch_shape, self.loc)
        Distribution.__init__(new, batch_shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def to_multivariate_normal(self) -> MultivariateNormal:
        """The law of the entries row by row: event [mn], covariance kron(Omega, Psi), of (mn)^2 numbers.

        >>> law = MatrixNormal(torch.zeros(2, 3), row_scale=torch.ones(2), column_scale=torch.ones(3))
        >>> law.to_multivariate_normal().event_shape
        torch.Size([6])
        """
        # kron(L_row, L_column) is itself lower triangular, and the Cholesky factor of kron(Omega, Psi).
        kron = torch.einsum("...ij,...kl->...ikjl", self._row.tril(), self._column.tril())
        scale_tril = kron.flatten(-4, -3).flatten(-2, -1)
        return MultivariateNormal(self.loc.flatten(-2), scale_tril=scale_tril, validate_args=self._validate_args)

    def _standardise(self, difference: Tensor) -> Tensor:
        """L_row^-1 D L_column^-T for D [*S, *B, m, n]: standard normal when D is a draw less the mean."""
        return self._column.solve(self._row.solve(difference).mT).mT

    def _log_volume(self) -> Tensor:
        """n log|L_row| + m log|L_column| = 1/2 log|Omega (x) Psi|, in a shape that broadcasts to [*B]."""
        m, n = self.event_shape
        return n * self._row.log_determinant() + m * self._column.log_determinant()


def _check_side(side: str, letter: str, loc: Tensor, given: dict[str, Tensor]) -> None:
    """Refuse a side without exactly one parameter, or with one that does not fit `loc`."""
    scale, scale_tril = f"{side}_scale", f"{side}_scale_tril"
    if (scale in given) == (scale_tril in given):
        came = "both" if scale in given else "neither"
        raise ValueError(f"MatrixNormal wants exactly one of {scale} and {scale_tril}, but {came} came.")
    size = loc.shape[-2 if side == "row" else -1]
    name, events = (scale, 1) if scale in given else (scale_tril, 2)
    shape = given[name].shape
    if len(shape) < events or shape[-events:] != (size,) * events:
        wanted = ", ".join([letter] * events)
        raise ValueError(
            f"{name} has shape {list(shape)}, but loc {list(loc.shape)} wants [*B, {wanted}] with {letter} = {size}."
        )


def _broadcast_batch(loc: Tensor, given: dict[str, Tensor]) -> torch.Size:
    """The batch shape that all parameters broadcast to."""
    events = {name: 2 if name.endswith("_tril") else 1 for name in given}
    shapes = [loc.shape[:-2], *(given[name].shape[: -events[name]] for name in given)]
    try:
        return torch.broadcast_shapes(*shapes)
    except RuntimeError:
        came = ", ".join(f"{name} {list(shape)}" for name, shape in zip(["loc", *given], shapes, strict=True))
        raise ValueError(f"The batch shapes do not broadcast: {came}.") from None


def _factor(side: str, given: dict[str, Tensor]) -> AbstractFactor:
    if f"{side}_scale" in given:
        return DiagonalFactor(given[f"{side}_scale"])
    return TriangularFactor(given[f"{side}_scale_tril"])


def _parameters(factor: AbstractFactor, batch_shape: torch.Size) -> tuple[Tensor | None, Tensor | None]:
    """The pair (scale, scale_tril) of a side, broadcast, with None for the one it does not have."""
    if isinstance(factor, DiagonalFactor):
        return _expand(factor.scale, batch_shape + factor.scale.shape[-1:]), None
    tril = factor.tril()
    return None, _expand(tril, batch_shape + tril.shape[-2:])


def _expand(tensor: Tensor, shape: torch.Size) -> Tensor:
    # A parameter that fits already stays the same object, hence a leaf: copies of the law stay possible.
    return tensor if tensor.shape == shape else tensor.expand(shape)
