"""The KL of a code by map and by site, against dense Gaussians and Monte Carlo."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Distribution, MultivariateNormal, Normal, kl_divergence
from torch.testing import assert_close

from spatialvae.latents.base import independent_normals
from spatialvae.metrics.latent.divergence import divergence_per_map, divergence_per_site
from spatialvae.priors import standard_normal
from tests.metrics.posteriors import EVENTS, KINDS, dense, made_up


def standard(distribution: Distribution) -> Distribution:
    maps, height, width = distribution.event_shape
    return standard_normal((maps, height, width), dtype=distribution.mean.dtype)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_per_map_is_that_of_the_dense_distribution(kind: str, event: tuple[int, int, int]) -> None:
    distribution, sites = made_up(kind, event), event[1] * event[2]
    prior = MultivariateNormal(torch.zeros(sites).double(), torch.eye(sites).double())
    wanted = [[kl_divergence(one, prior) for one in maps] for maps in dense(distribution)]
    divergence = divergence_per_map(distribution, standard(distribution))
    assert_close(divergence, torch.tensor(wanted, dtype=torch.float64))
    assert_close(divergence.sum(1), kl_divergence(distribution, standard_normal(event, dtype=torch.float64)))


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("kind", ["normal", "diagonal"])
def test_independent_sites_have_their_own(kind: str, event: tuple[int, int, int]) -> None:
    distribution = made_up(kind, event)
    own = kl_divergence(Normal(distribution.mean, distribution.variance.sqrt()), Normal(0.0, 1.0))
    assert_close(
        divergence_per_site(
            distribution, standard(distribution), divergence_per_map(distribution, standard(distribution))
        ),
        own,
    )


def test_a_sites_own_part_is_what_draws_say() -> None:
    # E_q[log q(z_ij) - log p(z_ij)] of each site by itself, from 200,000 draws of two images.
    distribution = made_up("normal", (2, 2, 2), 2)
    draws = distribution.sample(torch.Size([100_000]))
    own, prior = Normal(distribution.mean, distribution.variance.sqrt()), Normal(0.0, 1.0)
    each = own.log_prob(draws) - prior.log_prob(draws)
    error = each.std(0) / len(draws) ** 0.5
    assert (
        (
            each.mean(0)
            - divergence_per_site(
                distribution, standard(distribution), divergence_per_map(distribution, standard(distribution))
            )
        ).abs()
        < 5 * error
    ).all()


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_sites_sum_to_their_map(kind: str, event: tuple[int, int, int]) -> None:
    distribution = made_up(kind, event)
    per_map = divergence_per_map(distribution, standard(distribution))
    per_site = divergence_per_site(distribution, standard(distribution), per_map)
    assert per_site.shape == distribution.mean.shape
    assert_close(per_site.sum((-2, -1)), per_map)


def test_correlated_sites_share_what_they_have_in_common() -> None:
    distribution = made_up("correlated", (3, 2, 3))
    per_map = divergence_per_map(distribution, standard(distribution))
    marginal = kl_divergence(Normal(distribution.mean, distribution.variance.sqrt()), Normal(0.0, 1.0))
    shared = divergence_per_site(distribution, standard(distribution), per_map) - marginal
    assert_close(shared, shared[..., :1, :1].expand_as(shared))  # in equal parts
    for image, maps in enumerate(dense(distribution)):
        for k, one in enumerate(maps):  # the total correlation, sum of entropies less the joint entropy
            total = Normal(one.mean, one.variance.sqrt()).entropy().sum() - one.entropy()
            assert total > 0
            assert_close(shared[image, k].sum(), total)


def test_single_precision_comes_back_as_double() -> None:
    distribution = made_up("normal", (2, 3, 3))
    rough = independent_normals(distribution.mean.float(), distribution.variance.sqrt().float())
    divergence = divergence_per_map(rough, standard(rough))
    assert divergence.dtype == torch.float64
    assert_close(divergence, divergence_per_map(distribution, standard(distribution)), rtol=1e-5, atol=1e-5)
    assert_close(divergence_per_site(rough, standard(rough), divergence).sum((-2, -1)), divergence)
