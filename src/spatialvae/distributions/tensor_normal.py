"""The tensor-variate normal distribution: any number of sides, each with a covariance of its own form."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal, constraints

from .factor import AbstractFactor

__all__ = ["TensorNormal", "kron", "outer_product"]


class TensorNormal(Distribution):
    r"""The distribution of a random tensor whose covariance is a Kronecker product, one factor for each side.

    A ~ N(M, Sigma_1 (x) ... (x) Sigma_k) with A = M + (L_1, ..., L_k) E: the factor L_i of Sigma_i = L_i L_i^T is
    applied along side i of a tensor E of independent standard normals. With D = d_1 ... d_k numbers,

        log p(A) = -1/2 ||(L_1^-1, ..., L_k^-1)(A - M)||^2 - D/2 log(2 pi) - sum_i D/d_i log|L_i|

    Flattened row-major, A is normal with the covariance kron(Sigma_1, ..., Sigma_k), which is never formed. Factors of
    one distribution may be scaled against each other: only their product is determined. Batch shapes broadcast.

    Args:
        loc: the mean M, [*B, d_1, ..., d_k].
        sides: the k factors: `DiagonalFactor`, `TriangularFactor` or `AutoregressiveFactor`.
        validate_args: check values too, as everywhere in `torch.distributions`.

    Raises:
        ValueError: shapes do not fit, values are out of range.

    References:
        P. Hoff, Separable covariance arrays via the Tucker product, 2011. A. K. Gupta and D. K. Nagar, Matrix Variate
        Distributions, 1999, for two sides.

    >>> from spatialvae.distributions import DiagonalFactor, TriangularFactor
    >>> maps, rows, columns = (
    ...     TriangularFactor(torch.eye(4)),
    ...     DiagonalFactor(torch.ones(8, 2)),
    ...     DiagonalFactor(torch.ones(3)),
    ... )
    >>> q = TensorNormal(torch.zeros(8, 4, 2, 3), [maps, rows, columns])
    >>> q.batch_shape, q.event_shape
    (torch.Size([8]), torch.Size([4, 2, 3]))
    >>> q.rsample((5,)).shape, q.entropy()[0]
    (torch.Size([5, 8, 4, 2, 3]), tensor(34.0545))
    """

    has_rsample = True

    def __init__(self, loc: Tensor, sides: Sequence[AbstractFactor], validate_args: bool | None = None) -> None:
        if not 0 < len(sides) <= loc.dim():
            raise ValueError(
                f"loc has shape {list(loc.shape)}, but {len(sides)} sides are given: 1 to {loc.dim()} are possible."
            )
        labels = self._labels(len(sides))
        for size, side, label in zip(loc.shape[-len(sides) :], sides, labels, strict=True):
            if side.size != size:
                raise ValueError(
                    f"{label}the factor has size {side.size}, but loc {list(loc.shape)} wants {size} there."
                )
        batch_shape = _broadcast(loc.shape[: -len(sides)], sides, labels)
        tensors = (tensor for side in sides for tensor in side.parameters.values())
        dtype = reduce(torch.promote_types, (tensor.dtype for tensor in tensors), loc.dtype)
        self._sides = tuple(side.map(lambda tensor: tensor.to(dtype)) for side in sides)
        self._set_parameters(batch_shape, loc.to(dtype))
        if Distribution._validate_args if validate_args is None else validate_args:
            for side, label in zip(sides, labels, strict=True):
                side.check(label)
        super().__init__(batch_shape, loc.shape[-len(sides) :], validate_args=validate_args)

    @staticmethod
    def _labels(count: int) -> list[str]:
        """What errors call the sides."""
        return [f"side {index}: " for index in range(count)]

    def _set_parameters(self, batch_shape: torch.Size, loc: Tensor) -> None:
        """Store the parameters as the caller sees them: broadcast, though the factors compute unbroadcast."""
        shape = batch_shape + loc.shape[loc.dim() - len(self._sides) :]
        # A mean that fits already stays the same object, hence a leaf: copies of the distribution stay possible.
        self.loc = loc if loc.shape == shape else loc.expand(shape)

    @property
    def sides(self) -> tuple[AbstractFactor, ...]:
        """The factors L_1, ..., L_k, their batch shapes as given."""
        return self._sides

    @property
    def balanced(self) -> tuple[AbstractFactor, ...]:
        """The factors scaled against each other so that the largest number of each but the last is 1.

        Squares of the factors as given may lie outside of float32, though those of their product do not.
        """
        *others, last = self._sides
        balanced: list[AbstractFactor] = []
        for side in others:
            amount = side.map(Tensor.detach).largest()  # any number will do, so it takes no gradient
            amount = amount.clamp(min=torch.finfo(amount.dtype).tiny)
            balanced.append(side.scaled(amount.reciprocal()))
            last = last.scaled(amount)
        return (*balanced, last)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """That of the mean; the factors check their own."""
        return {"loc": constraints.independent(constraints.real, len(self._sides))}

    @property
    def support(self) -> Any:
        """All real tensors of the event's shape."""
        return constraints.independent(constraints.real, len(self._sides))

    @property
    def mean(self) -> Tensor:
        """M, [*B, d_1, ..., d_k]."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """M, [*B, d_1, ..., d_k]."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """The square root of the product of the sides' variances, of each entry, [*B, d_1, ..., d_k]."""
        outer = outer_product([side.stddev() for side in self.balanced])
        return outer if outer.shape == self.loc.shape else outer.expand(self.loc.shape)

    @property
    def variance(self) -> Tensor:
        """The product of the sides' variances, of each entry, [*B, d_1, ..., d_k]."""
        return self.stddev.square()

    def rsample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        """Draw A = M + (L_1, ..., L_k) E with gradients to every parameter, [*sample_shape, *B, d_1, ..., d_k]."""
        shape = self._extended_shape(torch.Size(sample_shape))
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + self._along_sides(noise, lambda side: side.multiply)

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density in nats at `value` [*S, *B, d_1, ..., d_k], of shape [*S, *B].

        >>> from spatialvae.distributions import DiagonalFactor
        >>> TensorNormal(torch.zeros(1), [DiagonalFactor(torch.ones(1))]).log_prob(torch.zeros(1))
        tensor(-0.9189)
        """
        if self._validate_args:
            self._validate_sample(value)
        size = self.event_shape.numel()
        quadratic = self.standardise(value - self.loc).square().sum(self.event_axes)
        return -0.5 * (quadratic + size * math.log(2 * math.pi)) - self.log_volume()

    def entropy(self) -> Tensor:
        """The entropy D/2 (1 + log(2 pi)) + sum_i D/d_i log|L_i| in nats, [*B]."""
        size = self.event_shape.numel()
        entropy = self.log_volume() + 0.5 * size * (1 + math.log(2 * math.pi))
        return entropy if entropy.shape == self.batch_shape else entropy.expand(self.batch_shape)

    def expand(self, batch_shape: torch.Size | list[int] | tuple[int, ...], _instance: Any = None) -> TensorNormal:
        """The same distribution with its batch expanded to `batch_shape`, sharing memory with this one."""
        new: Any = self._get_checked_instance(TensorNormal, _instance)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        new._sides = self._sides
        new._set_parameters(torch.Size(batch_shape), self.loc)  # pyright: ignore[reportUnknownMemberType]
        Distribution.__init__(new, torch.Size(batch_shape), self.event_shape, validate_args=False)  # pyright: ignore[reportUnknownArgumentType]
        new._validate_args = self._validate_args
        return new  # pyright: ignore[reportUnknownVariableType]

    def slices(self) -> TensorNormal:
        """The marginal distributions of the slices along the first side: batch [*B, d_1], event [d_2, ..., d_k].

        >>> from spatialvae.distributions import DiagonalFactor
        >>> sides = [DiagonalFactor(torch.tensor([1.0, 3.0])), DiagonalFactor(torch.ones(4))]
        >>> TensorNormal(torch.zeros(2, 4), sides).slices().stddev[:, 0]
        tensor([1., 3.])
        """
        first, second, *rest = self.balanced
        scaled = second.repeated().scaled(first.stddev())
        return TensorNormal(self.loc, [scaled, *(side.repeated() for side in rest)], validate_args=False)

    def to_multivariate_normal(self) -> MultivariateNormal:
        """The same of the entries row-major: event [D], covariance kron(Sigma_1, ..., Sigma_k), of D^2 numbers."""
        # The product of lower triangles is itself one, and the Cholesky factor of the product.
        scale_tril = reduce(kron, (side.tril() for side in self._sides))
        loc = self.loc.flatten(-len(self._sides))
        return MultivariateNormal(loc, scale_tril=scale_tril, validate_args=self._validate_args)

    @property
    def event_axes(self) -> tuple[int, ...]:
        """The axes of an event, from the last: (-k, ..., -1)."""
        return tuple(range(-len(self._sides), 0))

    def standardise(self, difference: Tensor) -> Tensor:
        """(L_1^-1, ..., L_k^-1) D for D [*S, *B, ...]: standard normal when D is a draw less the mean."""
        return self._along_sides(difference, lambda side: side.solve)

    def log_volume(self) -> Tensor:
        """sum_i D/d_i log|L_i|, half the covariance's log-determinant, in a shape that broadcasts to [*B]."""
        size = self.event_shape.numel()
        return reduce(torch.add, (size // side.size * side.log_determinant() for side in self._sides))

    def _along_sides(self, tensor: Tensor, operation: Callable[[AbstractFactor], Callable[[Tensor], Tensor]]) -> Tensor:
        """Every side's operation on matrices [*, d_i, rest], applied along its own axis."""
        k = len(self._sides)
        for axis, side in zip(self.event_axes, self._sides, strict=True):
            moved = tensor.movedim(axis, -k)
            rest = moved.shape[moved.dim() - k + 1 :]
            done = operation(side)(moved.reshape(*moved.shape[: moved.dim() - k + 1], math.prod(rest)))
            tensor = done.reshape(*done.shape[:-1], *rest).movedim(-k, axis)
        return tensor


def kron(left: Tensor, right: Tensor) -> Tensor:
    """The Kronecker product of matrices [*B, a, b] and [*B, c, d]: [*B, a c, b d].

    >>> kron(torch.tensor([[1.0, 2.0]]), torch.eye(2))
    tensor([[1., 0., 2., 0.],
            [0., 1., 0., 2.]])
    """
    return torch.einsum("...ij,...kl->...ikjl", left, right).flatten(-4, -3).flatten(-2, -1)


def outer_product(vectors: Sequence[Tensor]) -> Tensor:
    """The outer product [*B, d_1, ..., d_k] of vectors [*B, d_i].

    >>> outer_product([torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])])
    tensor([[3., 4.],
            [6., 8.]])
    """
    k = len(vectors)
    return reduce(
        torch.mul, (v[(..., *(slice(None) if i == j else None for j in range(k)))] for i, v in enumerate(vectors))
    )


def _broadcast(batch: torch.Size, sides: Sequence[AbstractFactor], labels: Sequence[str]) -> torch.Size:
    """The batch shape that the mean and all parameters broadcast to."""
    shapes = {"loc": batch}
    for side, label in zip(sides, labels, strict=True):
        for name, tensor in side.parameters.items():
            shapes[label + name] = tensor.shape[: tensor.dim() - side.axes[name]]
    try:
        return torch.broadcast_shapes(*shapes.values())  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    except RuntimeError:
        listed = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise ValueError(f"The batch shapes do not broadcast: {listed}.") from None
