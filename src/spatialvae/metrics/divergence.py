"""Where a code's KL divergence lies: per map and per site, in nats."""

from __future__ import annotations

from typing import cast

from torch import Tensor
from torch.distributions import Distribution, Independent, kl_divergence

from spatialvae.priors import standard_normal

__all__ = ["divergence_per_map", "divergence_per_site"]


def divergence_per_map(law: Distribution) -> Tensor:
    """KL(q(F_k|x) || N(0, I)) of every map, nats, float64 [B, maps]; its sum over maps is the whole KL.

    The maps are independent given x, and `law` is `Independent(law of one map, 1)`, batch [B].

    >>> import torch
    >>> from spatialvae.latents.base import independent_normals
    >>> divergence_per_map(independent_normals(torch.ones(1, 2, 3, 3), torch.ones(1, 2, 3, 3)))
    tensor([[4.5000, 4.5000]], dtype=torch.float64)
    """
    mean = law.mean
    event = (mean.shape[-3], mean.shape[-2], mean.shape[-1])
    prior = standard_normal(event, dtype=mean.dtype, device=mean.device)
    maps = kl_divergence(cast(Independent, law).base_dist, cast(Independent, prior).base_dist)
    return maps.cpu().double()


def divergence_per_site(law: Distribution, per_map: Tensor) -> Tensor:
    """Each site's part of its map's KL, nats, float64 [B, maps, height, width].

    1/2 (s_ij^2 + m_ij^2 - 1 - log s_ij^2) + (KL of the map - sum of these over the map) / (h w)

    The first term is the KL of the site's own marginal law. Where sites are independent given x these sum to
    the map's KL and nothing is left. Where they are correlated the rest is their total correlation, which belongs to
    no single site: that every site gets an equal share of it is a convention.

    Args:
        law: q(z|x), batch [B], event [maps, height, width].
        per_map: what `divergence_per_map` gives for it, [B, maps].

    >>> import torch
    >>> from spatialvae.latents.base import independent_normals
    >>> law = independent_normals(torch.tensor([[[[0.0, 2.0]]]]), torch.ones(1, 1, 1, 2))
    >>> divergence_per_site(law, divergence_per_map(law))
    tensor([[[[0., 2.]]]], dtype=torch.float64)
    """
    mean, variance = law.mean.cpu().double(), law.variance.cpu().double()
    marginal = 0.5 * (variance + mean.square() - 1 - variance.log())
    rest = per_map - marginal.sum((-2, -1))
    return marginal + (rest / mean[0, 0].numel())[..., None, None]
