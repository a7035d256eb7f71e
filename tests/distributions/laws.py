"""Random matrix-variate normals of every form, and what measures the tensors an operation makes."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from spatialvae.distributions import MatrixNormal

FORMS = [(row, column) for row in ("scale", "scale_tril") for column in ("scale", "scale_tril")]
forms = st.sampled_from(FORMS)
sizes = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)
batches = mutually_broadcastable_shapes(num_shapes=6, max_dims=2, max_side=3).map(lambda s: s.input_shapes)
NO_BATCH = ((), (), ())


def factor(form: str, batch: tuple[int, ...], size: int) -> Tensor:
    """A random `scale` [*batch, size] or `scale_tril` [*batch, size, size], well conditioned, in float64."""
    scale = torch.randn(*batch, size, dtype=torch.float64).mul(0.4).exp()
    if form == "scale":
        return scale
    return scale.diag_embed() + 0.5 * torch.randn(*batch, size, size, dtype=torch.float64).tril(-1)


def arguments(form: tuple[str, str], m: int, n: int, shapes: Any = NO_BATCH) -> dict[str, Any]:
    """Random arguments of MatrixNormal in float64; `shapes` are the batch shapes of loc, row and column."""
    return {
        "loc": torch.randn(*shapes[0], m, n, dtype=torch.float64),
        f"row_{form[0]}": factor(form[0], shapes[1], m),
        f"column_{form[1]}": factor(form[1], shapes[2], n),
    }


def law(form: tuple[str, str], m: int, n: int, shapes: Any = NO_BATCH) -> MatrixNormal:
    """A random MatrixNormal in float64."""
    return MatrixNormal(**arguments(form, m, n, shapes), validate_args=True)


def elementwise(m: int, n: int, loc_batch: tuple[int, ...] = (), scale_batch: tuple[int, ...] = ()) -> Independent:
    """A random Independent(Normal, 2) in float64, each entry with its own mean and scale."""
    loc = torch.randn(*loc_batch, m, n, dtype=torch.float64)
    scale = torch.randn(*scale_batch, m, n, dtype=torch.float64).mul(0.4).exp()
    return Independent(Normal(loc, scale), 2)


def dense(distribution: MatrixNormal | Independent) -> MultivariateNormal:
    """The same law over the entries row by row, by torch's own dense normal."""
    if isinstance(distribution, MatrixNormal):
        # Not to_multivariate_normal: built from kron of the covariances, so as to be a check of that too.
        row, column = distribution.row_covariance, distribution.column_covariance
        covariance = torch.einsum("...ij,...kl->...ikjl", row, column).flatten(-4, -3).flatten(-2)
        return MultivariateNormal(distribution.loc.flatten(-2), covariance_matrix=covariance)
    scale = distribution.stddev.flatten(-2)
    return MultivariateNormal(distribution.mean.flatten(-2), scale_tril=scale.diag_embed())


class LargestTensor(TorchDispatchMode):
    """Records the number of elements of the largest tensor that any operation returned."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        found = [leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        self.numel = max(self.numel, *found, 0)
        return result
