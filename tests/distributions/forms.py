"""Random matrix- and tensor-variate normals of every form, and what measures the tensors an operation makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from spatialvae.distributions import (
    AbstractFactor,
    AutoregressiveFactor,
    DiagonalFactor,
    MatrixNormal,
    TensorNormal,
    TriangularFactor,
)

SIDES = ("scale", "scale_tril", "correlation")
FORMS = [(row, column) for row in SIDES for column in SIDES]
forms = st.sampled_from(FORMS)
THREE = [
    ("scale_tril", "scale", "scale"),
    ("scale_tril", "scale_tril", "correlation"),
    ("scale", "correlation", "scale"),
]
sizes = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)
batches = mutually_broadcastable_shapes(num_shapes=6, max_dims=2, max_side=3).map(lambda s: s.input_shapes)
NO_BATCH = ((), (), ())


def factor(form: str, batch: tuple[int, ...], size: int) -> AbstractFactor:
    """A random factor with this parameter, well conditioned, in float64."""
    scale = torch.randn(*batch, size, dtype=torch.float64).mul(0.4).exp()
    if form == "scale":
        return DiagonalFactor(scale)
    if form == "correlation":
        return AutoregressiveFactor(scale, 1.6 * torch.rand(batch, dtype=torch.float64) - 0.8)
    return TriangularFactor(scale.diag_embed() + 0.5 * torch.randn(*batch, size, size, dtype=torch.float64).tril(-1))


def arguments(form: tuple[str, str], m: int, n: int, shapes: Any = NO_BATCH) -> dict[str, Any]:
    """Random arguments of MatrixNormal in float64; `shapes` are the batch shapes of loc, row and column."""
    result: dict[str, Any] = {"loc": torch.randn(*shapes[0], m, n, dtype=torch.float64)}
    for label, side, batch, size in zip(("row", "column"), form, shapes[1:3], (m, n), strict=True):
        result |= {f"{label}_{name}": value for name, value in factor(side, batch, size).parameters.items()}
    return result


def matrix_normal(form: tuple[str, str], m: int, n: int, shapes: Any = NO_BATCH) -> MatrixNormal:
    """A random MatrixNormal in float64."""
    return MatrixNormal(**arguments(form, m, n, shapes), validate_args=True)


def tensor_normal(form: Sequence[str], sizes: Sequence[int], shapes: Any = None) -> TensorNormal:
    """A random TensorNormal in float64; `shapes` are the batch shapes of the mean and of every side."""
    loc_batch, *batches = shapes or [()] * (len(form) + 1)
    sides = [factor(one, batch, size) for one, batch, size in zip(form, batches, sizes, strict=True)]
    return TensorNormal(torch.randn(*loc_batch, *sizes, dtype=torch.float64), sides, validate_args=True)


def elementwise(m: int, n: int, loc_batch: tuple[int, ...] = (), scale_batch: tuple[int, ...] = ()) -> Independent:
    """A random Independent(Normal, 2) in float64, each entry with its own mean and scale."""
    loc = torch.randn(*loc_batch, m, n, dtype=torch.float64)
    scale = torch.randn(*scale_batch, m, n, dtype=torch.float64).mul(0.4).exp()
    return Independent(Normal(loc, scale), 2)


def dense(distribution: TensorNormal | Independent) -> MultivariateNormal:
    """The same distribution over the entries row by row, by torch's own dense normal."""
    if isinstance(distribution, TensorNormal):
        # Not to_multivariate_normal: built from kron of the covariances, so as to be a check of that too.
        covariance = torch.ones(1, 1, dtype=torch.float64)
        for side in distribution.sides:
            covariance = torch.einsum("...ij,...kl->...ikjl", covariance, dense_covariance(side))
            covariance = covariance.flatten(-4, -3).flatten(-2)
        loc = distribution.loc.flatten(-len(distribution.event_shape))
        return MultivariateNormal(loc, covariance_matrix=covariance)
    scale = distribution.stddev.flatten(-2)
    return MultivariateNormal(distribution.mean.flatten(-2), scale_tril=scale.diag_embed())


def dense_covariance(side: AbstractFactor) -> Tensor:
    """The covariance of a side by its definition, entry by entry."""
    if isinstance(side, TriangularFactor):
        return side.scale_tril @ side.scale_tril.mT
    assert isinstance(side, DiagonalFactor | AutoregressiveFactor)
    r = side.correlation[..., None, None] if isinstance(side, AutoregressiveFactor) else torch.zeros(1, 1)
    places = torch.arange(side.size)
    outer = side.scale.unsqueeze(-1) * side.scale.unsqueeze(-2)
    return outer * r.double() ** (places - places[:, None]).abs()


class LargestTensor(TorchDispatchMode):
    """Records the number of elements of the largest tensor that any operation returned."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        results = [leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        self.numel = max(self.numel, *results, 0)
        return result
