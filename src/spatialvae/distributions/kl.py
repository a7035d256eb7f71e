"""Kullback-Leibler divergences of `TensorNormal` in closed form, registered with `torch.distributions.kl`.

All are in nats, of the broadcast batch shape, and made of products and triangular solves of the sides, never a matrix
of the size of the covariance; `MatrixNormal` is the case of two sides. They follow from the density in A. K. Gupta and
D. K. Nagar, Matrix Variate Distributions, 1999, chapter 2; with a standard normal prior and two sides it is the KL in
the bound of arXiv:1705.06821.

>>> import torch
>>> from torch.distributions import Independent, Normal, kl_divergence
>>> from spatialvae.distributions import MatrixNormal
>>> q = MatrixNormal(torch.ones(8, 64, 3, 3), row_scale=torch.ones(3), column_scale=torch.ones(3))
>>> p = Independent(Normal(torch.zeros(64, 3, 3), torch.ones(64, 3, 3)), 2)
>>> kl_divergence(q, p).shape
torch.Size([8, 64])
>>> kl_divergence(Independent(q, 1), Independent(p, 1))  # 64 maps of 9 entries, each 1/2 away
tensor([288., 288., 288., 288., 288., 288., 288., 288.])
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal
from torch.distributions.kl import register_kl  # pyright: ignore[reportUnknownVariableType]

from .marginals import ungrouped
from .tensor_normal import TensorNormal, outer_product


@register_kl(TensorNormal, TensorNormal)
def kl_tensor_normal_tensor_normal(q: TensorNormal, p: TensorNormal) -> Tensor:
    """KL(q || p) of two tensor-variate normals with any mix of forms of their sides, [*B] in nats.

    1/2 [ prod_i ||W_i||^2 + ||(L_p1^-1, ..., L_pk^-1) D||^2 - size ] - sum_i size/d_i log|W_i|

    with W_i = L_pi^-1 L_qi and D = M_q - M_p. For two sides the first term is
    tr(Omega_p^-1 Omega_q) tr(Psi_p^-1 Psi_q).

    Raises:
        ValueError: the two events differ in shape.

    >>> import torch
    >>> from spatialvae.distributions import MatrixNormal
    >>> q = MatrixNormal(torch.zeros(2, 3), row_scale=torch.ones(2), column_scale=torch.ones(3))
    >>> kl_tensor_normal_tensor_normal(q, q)
    tensor(0.)
    """
    _check_events(q, p)
    size = q.event_shape.numel()
    whitened = [of_p.whiten(of_q) for of_p, of_q in zip(p.balanced, q.balanced, strict=True)]
    distance = p.standardise(q.loc - p.loc).square().sum(p.event_axes)
    trace = _product([side.squared_norm() for side in whitened])
    volume = reduce(torch.add, (size // side.size * side.log_determinant() for side in whitened))
    return 0.5 * (trace + distance - size) - volume


@register_kl(TensorNormal, Independent)
def kl_tensor_normal_independent(q: TensorNormal, p: Independent[Distribution]) -> Tensor:
    """KL(q || p) from a tensor-variate normal to independent parts, [*B] in nats.

    To an elementwise Normal(mu, s), with v_ij... = prod over sides of their variances:

        sum [ (v + (M - mu)^2) / (2 s^2) - 1/2 + log s ] - sum_i size/d_i log|L_i|

    To independent distributions p_j of the slices j along the first side, with q_j the marginal of slice j and H the
    entropy:

        sum_j KL(q_j || p_j) + sum_j H(q_j) - H(q)

    Raises:
        NotImplementedError: p is neither.
        ValueError: the two events differ in shape.

    >>> import torch
    >>> from spatialvae.distributions import MatrixNormal
    >>> q = MatrixNormal(torch.ones(2, 3), row_scale=torch.ones(2), column_scale=torch.ones(3))
    >>> kl_tensor_normal_independent(q, Independent(Normal(torch.zeros(2, 3), torch.ones(2, 3)), 2))
    tensor(3.)
    """
    base = _parts(p, q)
    _check_events(q, p)
    if isinstance(base, TensorNormal):
        slices = q.slices()
        shared = slices.entropy().sum(-1) - q.entropy()
        return kl_tensor_normal_tensor_normal(slices, base).sum(-1) + shared
    axes, size = q.event_axes, q.event_shape.numel()
    difference = q.loc - base.loc
    if _one_scale_an_event(base.scale, len(axes)):
        # The paper's case: tr(Omega) tr(Psi), no variance of each entry, and one division for a whole map.
        scale = base.scale[(..., *(0 for _ in axes))]
        trace = _product([side.squared_norm() for side in q.balanced])
        spread = (trace + difference.square().sum(axes)) / scale.square()
        log_scale = size * scale.log()
    else:
        spread = ((q.stddev / base.scale).square() + (difference / base.scale).square()).sum(axes)
        log_scale = base.scale.log().sum(axes)
    return 0.5 * (spread - size) + log_scale - q.log_volume()


@register_kl(Independent, TensorNormal)
def kl_independent_tensor_normal(q: Independent[Distribution], p: TensorNormal) -> Tensor:
    """KL(q || p) from independent parts to a tensor-variate normal, [*B] in nats.

    From an elementwise Normal(mu, s), with D = mu - M and w the product of the sides' (Sigma_i^-1) diagonals:

        sum [ (s^2 w + ((L_1^-1, ...) D)^2 - 1) / 2 - log s ] + sum_i size/d_i log|L_i|

    From independent distributions of the slices j along the first side, with W_ij = L_i^-1 L_ij:

        1/2 [ sum_j (Sigma_1^-1)_jj prod_i ||W_ij||^2 + ||(L_1^-1, ...) D||^2 - size ] + V_p - sum_j V_q_j

    where V is half the log-determinant of a distribution's covariance.

    Raises:
        NotImplementedError: q is neither.
        ValueError: the two events differ in shape.

    >>> import torch
    >>> from spatialvae.distributions import MatrixNormal
    >>> p = MatrixNormal(torch.ones(2, 3), row_scale=torch.ones(2), column_scale=torch.ones(3))
    >>> kl_independent_tensor_normal(Independent(Normal(torch.zeros(2, 3), torch.ones(2, 3)), 2), p)
    tensor(3.)
    """
    base = _parts(q, p)
    _check_events(q, p)
    distance = p.standardise(base.loc - p.loc).square().sum(p.event_axes)
    if isinstance(base, TensorNormal):
        first, *others = p.balanced
        rest = [side.repeated() for side in others]
        whitened = [of_p.whiten(of_q) for of_p, of_q in zip(rest, base.balanced, strict=True)]
        trace = (first.inverse_stddev().square() * _product([side.squared_norm() for side in whitened])).sum(-1)
        volume = base.log_volume().expand(base.batch_shape).sum(-1)
    else:
        weight = outer_product([side.inverse_stddev() for side in p.balanced])
        trace = (base.scale * weight).square().sum(p.event_axes)
        volume = base.scale.log().sum(p.event_axes)
    return 0.5 * (trace + distance - p.event_shape.numel()) - volume + p.log_volume()


def _parts(distribution: Independent[Distribution], other: TensorNormal) -> Normal | TensorNormal:
    """What `distribution` is made of: single numbers, or slices along the first side of `other`."""
    base, axes = ungrouped(distribution)
    sides = len(other.event_shape)
    if isinstance(base, Normal) and axes == sides:
        return base
    if isinstance(base, TensorNormal) and axes == 1 and len(base.event_shape) == sides - 1:
        return base
    raise NotImplementedError(
        f"KL with {type(other).__name__} of {sides} sides is known for Independent(Normal, {sides}) and for 1 axis of "
        f"TensorNormal with {sides - 1}, not for {axes} of {type(base).__name__}."
    )


def _product(numbers: list[Tensor]) -> Tensor:
    return reduce(torch.mul, numbers)


def _one_scale_an_event(scale: Tensor, axes: int) -> bool:
    """Whether all entries of an event share one number in memory, as in a standard normal made by `expand`."""
    # A leaf that requires a gradient must get it in every entry: it takes the general way.
    return set(scale.stride()[-axes:]) == {0} and not scale.requires_grad


def _check_events(q: Distribution, p: Distribution) -> None:
    if q.event_shape != p.event_shape:
        raise ValueError(f"KL wants equal events, but q has {list(q.event_shape)} and p has {list(p.event_shape)}.")
