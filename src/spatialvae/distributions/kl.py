"""Kullback-Leibler divergences of `MatrixNormal` in closed form, registered with `torch.distributions.kl`.

All are in nats, of the broadcast batch shape, and made of products and triangular solves of the sides:
O(m^3 + n^3) for maps near square, never an mn x mn matrix. They follow from the density in
A. K. Gupta and D. K. Nagar, Matrix Variate Distributions, 1999, chapter 2; with a standard normal prior
it is the KL in the bound of arXiv:1705.06821.

>>> import torch
>>> from torch.distributions import Independent, Normal, kl_divergence
>>> q = MatrixNormal(torch.ones(8, 64, 3, 3), row_scale=torch.ones(3), column_scale=torch.ones(3))
>>> p = Independent(Normal(torch.zeros(64, 3, 3), torch.ones(64, 3, 3)), 2)
>>> kl_divergence(q, p).shape
torch.Size([8, 64])
>>> kl_divergence(Independent(q, 1), Independent(p, 1))  # 64 maps of 9 entries, each 1/2 away
tensor([288., 288., 288., 288., 288., 288., 288., 288.])
"""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Distribution, Independent, Normal
from torch.distributions.kl import register_kl

from .matrix_normal import MatrixNormal


@register_kl(MatrixNormal, MatrixNormal)
def kl_matrix_normal_matrix_normal(q: MatrixNormal, p: MatrixNormal) -> Tensor:
    """KL(q || p) of two matrix-variate normals with any mix of diagonal and triangular sides, [*B] in nats.

    1/2 [ tr(Omega_p^-1 Omega_q) tr(Psi_p^-1 Psi_q) + tr(Omega_p^-1 D Psi_p^-1 D^T) - mn ]
    + n/2 log(|Omega_p| / |Omega_q|) + m/2 log(|Psi_p| / |Psi_q|)    with D = M_q - M_p

    Raises:
        ValueError: the two events differ in shape.

    >>> import torch
    >>> q = MatrixNormal(torch.zeros(2, 3), row_scale=torch.ones(2), column_scale=torch.ones(3))
    >>> kl_matrix_normal_matrix_normal(q, q)
    tensor(0.)
    """
    _check_events(q, p)
    m, n = q.event_shape
    # With W = L_p^-1 L_q per side, the traces are squared norms of W and the log ratios are -log|W|.
    row, column = p._row.whiten(q._row), p._column.whiten(q._column)
    distance = p._standardise(q.loc - p.loc).square().sum((-2, -1))
    trace = row.squared_norm() * column.squared_norm()
    return 0.5 * (trace + distance - m * n) - n * row.log_determinant() - m * column.log_determinant()


@register_kl(MatrixNormal, Independent)
def kl_matrix_normal_normal(q: MatrixNormal, p: Independent) -> Tensor:
    """KL(q || p) from a matrix-variate normal to `Independent(Normal(mu, s), 2)`, [*B] in nats.

    sum_ij [ (Omega_ii Psi_jj + (M_ij - mu_ij)^2) / (2 s_ij^2) - 1/2 + log s_ij ]
    - n/2 log|Omega| - m/2 log|Psi|

    Raises:
        NotImplementedError: p is not an elementwise Normal over the last two dimensions.
        ValueError: the two events differ in shape.

    >>> import torch
    >>> q = MatrixNormal(torch.ones(2, 3), row_scale=torch.ones(2), column_scale=torch.ones(3))
    >>> kl_matrix_normal_normal(q, Independent(Normal(torch.zeros(2, 3), torch.ones(2, 3)), 2))
    tensor(3.)
    """
    normal = _elementwise_normal(p)
    _check_events(q, p)
    size = q.event_shape.numel()
    difference = q.loc - normal.loc
    if _one_scale_a_map(normal.scale):
        # The paper's case: tr(Omega) tr(Psi), no variance of each entry, and one division for a whole map.
        scale = normal.scale[..., 0, 0]
        spread = q._row.squared_norm() * q._column.squared_norm() + difference.square().sum((-2, -1))
        spread, log_scale = spread / scale.square(), size * scale.log()
    else:
        spread = ((q.stddev / normal.scale).square() + (difference / normal.scale).square()).sum((-2, -1))
        log_scale = normal.scale.log().sum((-2, -1))
    return 0.5 * (spread - size) + log_scale - q._log_volume()


@register_kl(Independent, MatrixNormal)
def kl_normal_matrix_normal(q: Independent, p: MatrixNormal) -> Tensor:
    """KL(q || p) from `Independent(Normal(mu, s), 2)` to a matrix-variate normal, [*B] in nats.

    sum_ij [ s_ij^2 (Omega^-1)_ii (Psi^-1)_jj / 2 - 1/2 - log s_ij ] + 1/2 tr(Omega^-1 D Psi^-1 D^T)
    + n/2 log|Omega| + m/2 log|Psi|    with D = mu - M

    Raises:
        NotImplementedError: q is not an elementwise Normal over the last two dimensions.
        ValueError: the two events differ in shape.

    >>> import torch
    >>> p = MatrixNormal(torch.ones(2, 3), row_scale=torch.ones(2), column_scale=torch.ones(3))
    >>> kl_normal_matrix_normal(Independent(Normal(torch.zeros(2, 3), torch.ones(2, 3)), 2), p)
    tensor(3.)
    """
    normal = _elementwise_normal(q)
    _check_events(q, p)
    weight = p._row.inverse_stddev().unsqueeze(-1) * p._column.inverse_stddev().unsqueeze(-2)
    spread = (normal.scale * weight).square()
    distance = p._standardise(normal.loc - p.loc).square()
    cross = (0.5 * (spread + distance - 1) - normal.scale.log()).sum((-2, -1))
    return cross + p._log_volume()


def _elementwise_normal(distribution: Independent) -> Normal:
    """The Normal inside `Independent(Normal, 2)`; any other law has no closed form here."""
    base = distribution.base_dist
    if not isinstance(base, Normal) or distribution.reinterpreted_batch_ndims != 2:
        raise NotImplementedError(
            f"KL with MatrixNormal is known for Independent(Normal, 2), not for "
            f"Independent({type(base).__name__}, {distribution.reinterpreted_batch_ndims})."
        )
    return base


def _one_scale_a_map(scale: Tensor) -> bool:
    """Whether all entries of a map share one number in memory, as in a standard normal made by `expand`."""
    # A leaf that requires a gradient must get it in every entry: it takes the general way.
    return scale.stride()[-2:] == (0, 0) and not scale.requires_grad


def _check_events(q: Distribution, p: Distribution) -> None:
    if q.event_shape != p.event_shape:
        raise ValueError(f"KL wants equal events, but q has {list(q.event_shape)} and p has {list(p.event_shape)}.")
