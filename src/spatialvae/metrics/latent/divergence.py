"""Where a code's KL divergence lies: per map and per site, in nats."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Distribution, Independent, kl_divergence

from spatialvae.distributions import map_marginals

__all__ = ["divergence_per_map", "divergence_per_site"]


def divergence_per_map(distribution: Distribution, prior: Distribution) -> Tensor:
    """Each map's part of KL(q(z|x) || p(z)), nats, float64 [B, maps]; their sum is the whole KL.

        KL(q(F_k|x) || p(F_k)) + (KL(q(z|x) || p(z)) - sum of these over the maps) / maps

    Where maps are independent, given x and under the prior, nothing is left for the second term. Where they are
    correlated the rest belongs to no single map: that every map gets an equal share of it is a convention.

    >>> import torch
    >>> from spatialvae.latents.base import independent_normals
    >>> from spatialvae.priors import standard_normal
    >>> distribution = independent_normals(torch.ones(1, 2, 3, 3), torch.ones(1, 2, 3, 3))
    >>> divergence_per_map(distribution, standard_normal((2, 3, 3)))
    tensor([[4.5000, 4.5000]], dtype=torch.float64)
    """
    maps = kl_divergence(map_marginals(distribution), map_marginals(prior)).cpu().double()
    if isinstance(distribution, Independent) and isinstance(prior, Independent):
        return maps
    rest = kl_divergence(distribution, prior).cpu().double() - maps.sum(-1)
    return maps + (rest / maps.shape[-1])[:, None]


def divergence_per_site(distribution: Distribution, prior: Distribution, per_map: Tensor) -> Tensor:
    """Each site's part of its map's KL, nats, float64 [B, maps, height, width].

        KL(N(m_ij, s_ij^2) || N(mu_ij, t_ij^2)) + (KL of the map - sum of these over the map) / (h w)

    The first term is the KL between the site's own marginals. Where sites are independent these sum to the map's KL
    and nothing is left. Where they are correlated the rest is their total correlation, which belongs to no single
    site: that every site gets an equal share of it is a convention.

    Args:
        distribution: q(z|x), batch [B], event [maps, height, width].
        prior: p(z).
        per_map: what `divergence_per_map` gives for them, [B, maps].

    >>> import torch
    >>> from spatialvae.latents.base import independent_normals
    >>> from spatialvae.priors import standard_normal
    >>> distribution, prior = (
    ...     independent_normals(torch.tensor([[[[0.0, 2.0]]]]), torch.ones(1, 1, 1, 2)),
    ...     standard_normal((1, 1, 2)),
    ... )
    >>> divergence_per_site(distribution, prior, divergence_per_map(distribution, prior))
    tensor([[[[0., 2.]]]], dtype=torch.float64)
    """
    spread = (distribution.stddev.cpu().double() / prior.stddev.cpu().double()).square()
    distance = (distribution.mean.cpu().double() - prior.mean.cpu().double()) / prior.stddev.cpu().double()
    marginal = 0.5 * (spread + distance.square() - 1 - spread.log())
    rest = per_map - marginal.sum((-2, -1))
    return marginal + (rest / marginal[0, 0].numel())[..., None, None]
