"""KL divergence of two `Independent` distributions that group the same dimensions differently.

torch compares `Independent` distributions only when both reinterpret equally many dimensions. A code of N maps is
naturally `Independent(MatrixNormal, 1)` on one side and `Independent(Normal, 3)` on the other: the same event, grouped
in two ways. This replaces torch's rule by one that agrees with it wherever torch has an answer.
"""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Distribution, Independent, kl_divergence
from torch.distributions.kl import register_kl  # pyright: ignore[reportUnknownVariableType]

__all__ = ["kl_independent_independent"]


@register_kl(Independent, Independent)
def kl_independent_independent(q: Independent[Distribution], p: Independent[Distribution]) -> Tensor:
    """KL(q || p) in nats, [*B]: dimensions that only one side reinterprets go back into its base.

        Independent(base, a + b) is the distribution Independent(Independent(base, b), a)

    Raises:
        ValueError: the two events differ in shape.
        NotImplementedError: no divergence is known for the two bases.

    >>> import torch
    >>> from torch.distributions import Normal
    >>> zeros, ones = torch.zeros(64, 3, 3), torch.ones(64, 3, 3)
    >>> q = Independent(Independent(Normal(ones, ones), 2), 1)
    >>> kl_divergence(q, Independent(Normal(zeros, ones), 3))
    tensor(288.)
    """
    if q.event_shape != p.event_shape:
        raise ValueError(f"KL wants equal events, but q has {list(q.event_shape)} and p has {list(p.event_shape)}.")
    shared = min(q.reinterpreted_batch_ndims, p.reinterpreted_batch_ndims)
    divergence = kl_divergence(_inner(q, shared), _inner(p, shared))
    return divergence.flatten(-shared).sum(-1) if shared else divergence


def _inner(distribution: Independent[Distribution], shared: int) -> Distribution:
    """The distribution whose last `shared` batch dimensions make up `distribution`."""
    rest = distribution.reinterpreted_batch_ndims - shared
    return distribution.base_dist if rest == 0 else Independent(distribution.base_dist, rest, validate_args=False)
