"""A Gaussian over a whole code with a full covariance, or one that is full within blocks of the code's numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal
from torch.distributions.kl import register_kl  # pyright: ignore[reportUnknownVariableType]

from spatialvae.distributions import MatrixNormal, TensorNormal
from spatialvae.distributions.marginals import ungrouped

__all__ = ["DenseNormal", "tril_of"]


class DenseNormal(Distribution):
    """z ~ N(m, P L L^T P^T): batch [B], event [maps, h, w], L a row of lower triangles along the diagonal.

    P puts the numbers into an order in which the blocks are runs: one block is a dense Gaussian.

    Args:
        loc: the mean m, [B, maps, h, w].
        blocks: the triangles, [B, n_i, n_i] with the n_i adding up to the numbers of a code.
        order: which number of a flattened code stands at each place of the row of blocks, [D].

    >>> q = DenseNormal(torch.zeros(2, 4, 1, 1), [torch.eye(4).expand(2, 4, 4)], torch.arange(4))
    >>> q.rsample((3,)).shape, q.entropy()
    (torch.Size([3, 2, 4, 1, 1]), tensor([5.6758, 5.6758]))
    """

    has_rsample = True

    def __init__(self, loc: Tensor, blocks: Sequence[Tensor], order: Tensor) -> None:
        self.loc, self.blocks, self.order = loc, tuple(blocks), order
        super().__init__(loc.shape[:1], loc.shape[1:], validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """None: the parameters are a refinement's own."""
        return {}

    @property
    def mean(self) -> Tensor:
        """m, [B, maps, h, w]."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The diagonal of the covariance, [B, maps, h, w]."""
        return self._as_codes(torch.cat([block.square().sum(-1) for block in self.blocks], -1))

    def rsample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        """Draw m + P L e with gradients to m and L, [*sample_shape, B, maps, h, w]."""
        shape = torch.Size((*sample_shape, *self.batch_shape, self.event_shape.numel()))
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        parts = zip(self.blocks, noise.split(self._sizes, -1), strict=True)
        drawn = torch.cat([torch.einsum("bij,...bj->...bi", block, part) for block, part in parts], -1)
        return self.loc + self._as_codes(drawn)

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density in nats at `value` [*S, B, maps, h, w], of shape [*S, B]."""
        difference = (value - self.loc).flatten(-3)[..., self.order]
        parts = zip(self.blocks, difference.reshape(-1, *difference.shape[-2:]).split(self._sizes, -1), strict=True)
        solved = [
            torch.linalg.solve_triangular(block, part.movedim(0, -1), upper=False).square().sum(-2)
            for block, part in parts
        ]
        squared = reduce(torch.add, solved).movedim(-1, 0).view(difference.shape[:-1])
        return -0.5 * (squared + self.event_shape.numel() * math.log(2 * math.pi)) - self.log_volume()

    def entropy(self) -> Tensor:
        """The entropy in nats, [B]."""
        return self.log_volume() + 0.5 * self.event_shape.numel() * (1 + math.log(2 * math.pi))

    def log_volume(self) -> Tensor:
        """log det L, [B]."""
        diagonals = (block.diagonal(dim1=-2, dim2=-1) for block in self.blocks)
        return reduce(torch.add, (diagonal.log().sum(-1) for diagonal in diagonals))

    def columns(self) -> Tensor:
        """P L as codes, a column each, [D, B, maps, h, w]."""
        whole = self.loc.new_zeros(*self.batch_shape, len(self.order), len(self.order))
        start = 0
        for block in self.blocks:
            end = start + block.shape[-1]
            whole[:, start:end, start:end] = block
            start = end
        return self._as_codes(whole.movedim(-1, 0))

    @property
    def _sizes(self) -> list[int]:
        return [block.shape[-1] for block in self.blocks]

    def _as_codes(self, numbers: Tensor) -> Tensor:
        """Numbers in the order of the blocks [..., D] as codes [..., maps, h, w]."""
        return numbers[..., self.order.argsort()].unflatten(-1, self.event_shape)


@register_kl(DenseNormal, Independent)
def kl_dense_independent(q: DenseNormal, p: Independent[Distribution]) -> Tensor:
    """KL(q || p) in nats to independent normals, or to independent maps that are matrix normals, [B].

    Raises:
        NotImplementedError: p is neither.
    """
    base, _ = ungrouped(p)
    if isinstance(base, Normal):
        # E_q log p = log p(m) - 1/2 sum of variances / scale^2
        return -q.entropy() - p.log_prob(q.loc) + 0.5 * (q.variance / base.scale.square()).flatten(1).sum(1)
    if isinstance(base, TensorNormal):
        return -q.entropy() - p.log_prob(q.loc) + _half_trace(q, base)
    raise NotImplementedError(f"no divergence of a dense normal to {type(base).__name__} is known")


@register_kl(DenseNormal, TensorNormal)
def kl_dense_tensor_normal(q: DenseNormal, p: TensorNormal) -> Tensor:
    """KL(q || p) in nats, [B]: E_q log p = log p(m) - 1/2 ||(L_1^-1, ...) L_q||^2."""
    return -q.entropy() - p.log_prob(q.loc) + _half_trace(q, p)


def _half_trace(q: DenseNormal, p: TensorNormal) -> Tensor:
    return 0.5 * p.standardise(q.columns()).square().flatten(2).sum((0, 2))


def tril_of(q: Distribution) -> Tensor:
    """The Cholesky factor [B, D, D] of a code's covariance under q, its numbers row-major.

    Where q is no normal, independent maps of normals or tensor normal, it is that of its variances alone.
    """
    base, _ = ungrouped(q)
    if not isinstance(base, TensorNormal):
        return q.stddev.flatten(1).diag_embed()
    parts = base.to_multivariate_normal().scale_tril
    if isinstance(base, MatrixNormal) and parts.dim() == 4:
        batch, maps, size, _ = parts.shape
        whole = parts.new_zeros(batch, maps, size, maps, size)
        index = torch.arange(maps, device=parts.device)
        whole[:, index, :, index, :] = parts.expand(batch, maps, size, size).movedim(1, 0)
        return whole.view(batch, maps * size, maps * size)
    return parts.expand(*q.batch_shape, *parts.shape[-2:])
