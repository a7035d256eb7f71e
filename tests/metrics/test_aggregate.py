"""The aggregate posterior's moments against stacking every image's own, and the Gaussian against torch's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal, kl_divergence
from torch.testing import assert_close

import spatialvae.metrics.latent.aggregate as module
from spatialvae.distributions import DiagonalFactor, TensorNormal, TriangularFactor
from spatialvae.latents import parse_latent
from spatialvae.latents.base import independent_normals
from spatialvae.metrics.latent.aggregate import Aggregate, Moments
from tests.metrics.posteriors import EVENTS, KINDS, dense, made_up


def stacked(distributions: list[Distribution]) -> tuple[Tensor, Tensor]:
    """Mean [D] and covariance [D, D] of the mixture of all posteriors, by the definition."""
    means = torch.cat([distribution.mean.flatten(1) for distribution in distributions])
    within = [
        torch.block_diag(*(one.covariance_matrix for one in maps))
        for distribution in distributions
        for maps in dense(distribution)
    ]
    second = sum(cov + torch.outer(m, m) for m, cov in zip(means, within, strict=True)) / len(means)
    return means.mean(0), torch.as_tensor(second) - torch.outer(means.mean(0), means.mean(0))


def fitted(distributions: list[Distribution]) -> Aggregate:
    total = Moments.of(distributions[0])
    for distribution in distributions[1:]:
        total = total + Moments.of(distribution)
    return total.aggregate()


def correlation(covariance: Tensor) -> Tensor:
    scale = covariance.diagonal().sqrt()
    return covariance / torch.outer(scale, scale)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_moments_are_those_of_the_mixture(kind: str, event: tuple[int, int, int]) -> None:
    distributions = [made_up(kind, event, images) for images in (4, 1, 3)]
    mean, covariance = stacked(distributions)
    aggregate = fitted(distributions)
    assert_close(aggregate.mean.flatten(), mean)
    assert_close(aggregate.covariance[0], covariance)
    assert_close(aggregate.variance, covariance.diagonal())


def test_draws_agree() -> None:
    distribution = made_up("correlated", (2, 2, 2), 3)
    draws = distribution.sample(torch.Size([60_000])).flatten(0, 1).flatten(1)
    aggregate = Moments.of(distribution).aggregate()
    scale = aggregate.variance.sqrt()
    assert ((draws.mT.cov() - aggregate.covariance[0]) / torch.outer(scale, scale)).abs().max() < 0.03


@pytest.mark.parametrize("kind", KINDS)
def test_large_codes_keep_covariances_within_maps(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_FULL", 17)
    distributions = [made_up(kind, (3, 2, 3), images) for images in (4, 3)]
    mean, covariance = stacked(distributions)
    aggregate = fitted(distributions)
    blocks = torch.stack([covariance[6 * k : 6 * k + 6, 6 * k : 6 * k + 6] for k in range(3)])
    assert_close(aggregate.mean.flatten(), mean)
    assert_close(aggregate.covariance, blocks)
    assert_close(aggregate.site_correlation(), torch.stack([correlation(block) for block in blocks]))
    wanted = MultivariateNormal(mean, torch.block_diag(*blocks))
    prior = MultivariateNormal(torch.zeros(18).double(), torch.eye(18).double())
    assert aggregate.divergence_from_standard() == pytest.approx(kl_divergence(wanted, prior).item())


def test_large_maps_keep_variances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_FULL", 17)
    monkeypatch.setattr(module, "LARGEST_GRID", 5)
    distributions = [made_up("correlated", (3, 2, 3), images) for images in (4, 3)]
    mean, covariance = stacked(distributions)
    aggregate = fitted(distributions)
    assert aggregate.covariance.shape == (18, 1, 1)
    assert_close(aggregate.variance, covariance.diagonal())
    assert_close(aggregate.distances(mean[None] + 1), (1 / covariance.diagonal()).sum()[None].sqrt())
    assert aggregate.site_correlation() is None


@pytest.mark.parametrize("event", EVENTS)
def test_the_gaussian_is_torchs(event: tuple[int, int, int]) -> None:
    distributions = [made_up("mixed", event, 6)]
    aggregate = fitted(distributions)
    mean, covariance = stacked(distributions)
    distribution = MultivariateNormal(mean, covariance)
    prior = MultivariateNormal(torch.zeros_like(mean), torch.eye(len(mean)).double())
    assert aggregate.divergence_from_standard() == pytest.approx(kl_divergence(distribution, prior).item())
    codes = torch.randn(7, len(mean), dtype=torch.float64)
    away = codes - mean
    assert_close(aggregate.distances(codes), (away @ covariance.inverse() * away).sum(1).sqrt())
    level = 0.3 * covariance.diagonal().mean() * torch.eye(len(mean)).double()
    assert_close(aggregate.distances(codes, 0.3), (away @ (covariance + level).inverse() * away).sum(1).sqrt())


@pytest.mark.parametrize("event", EVENTS)
def test_correlation_between_sites_is_within_maps(event: tuple[int, int, int]) -> None:
    distributions = [made_up("correlated", event, 6)]
    whole, sites = correlation(stacked(distributions)[1]), event[1] * event[2]
    result = fitted(distributions).site_correlation()
    assert result is not None
    assert result.shape == (event[0], sites, sites)
    for k in range(event[0]):
        assert_close(result[k], whole[k * sites : (k + 1) * sites, k * sites : (k + 1) * sites])


def test_variance_of_the_means() -> None:
    distributions = [made_up("diagonal", (2, 2, 3), images) for images in (4, 2)]
    means = torch.cat([distribution.mean for distribution in distributions])
    variance = (Moments.of(distributions[0]) + Moments.of(distributions[1])).variance_of_means()
    assert_close(variance, means.var(0))
    assert Moments.of(made_up("normal", (2, 2, 2), 1)).variance_of_means() is None


def test_far_from_zero_no_digits_are_lost() -> None:
    loc = 1e6 + 1e-3 * torch.randn(40, 2, 2, 2, dtype=torch.float64)
    parts = [Moments.of(independent_normals(part, torch.full_like(part, 1e-6))) for part in loc.split(10)]
    variance = ((parts[0] + parts[1]) + (parts[2] + parts[3])).variance_of_means()
    assert_close(variance, loc.var(0), rtol=1e-5, atol=0)


def test_an_image_without_spread_is_no_obstacle() -> None:
    # One image, numbers that differ by thirteen orders: a Cholesky factor needs a nudge at most.
    scale = torch.logspace(-10, 3, 8, dtype=torch.float64).reshape(1, 2, 2, 2)
    aggregate = Moments.of(independent_normals(torch.ones_like(scale), scale)).aggregate()
    assert torch.isfinite(aggregate.distances(torch.randn(3, 8))).all()
    rank_one = Aggregate((4, 1, 1), torch.zeros(1, 4).double(), torch.ones(1, 4, 4).double())
    assert torch.isfinite(rank_one.distances(torch.randn(3, 4), 1e-4)).all()
    assert 0 < rank_one.divergence_from_standard() < 1000


def across_maps(images: int = 4, event: tuple[int, int, int] = (3, 2, 2)) -> TensorNormal:
    """q(z|x) of some images whose maps are correlated, alike for all images."""
    maps, height, width = event
    sides = [
        TriangularFactor(torch.eye(maps).double() + 0.5 * torch.randn(maps, maps).double().tril(-1)),
        DiagonalFactor(torch.rand(images, height).double() + 0.5),
        TriangularFactor(torch.eye(width).double() + 0.5 * torch.randn(images, width, width).double().tril(-1)),
    ]
    return TensorNormal(torch.randn(images, *event).double(), sides)


def test_maps_that_are_correlated_given_the_image() -> None:
    distributions = [across_maps(images) for images in (4, 3)]
    shared = distributions[0].sides[0]
    distributions[1] = TensorNormal(distributions[1].loc, [shared, *distributions[1].sides[1:]])
    means = torch.cat([distribution.mean.flatten(1) for distribution in distributions])
    within = torch.cat(
        [distribution.to_multivariate_normal().covariance_matrix for distribution in distributions]
    ).mean(0)
    aggregate = fitted(list(distributions))
    assert_close(aggregate.covariance[0], within + means.mT.cov(correction=0))


@pytest.mark.parametrize("prior", ["matrix-normal:covariance=full", "tensor-normal", "naive"])
def test_the_divergence_from_any_normal_prior(prior: str) -> None:
    latent = parse_latent(prior, (3, 2, 2))
    shapes = {**latent.shapes, **latent.shared_shapes}
    distribution = latent.distribution(
        {name: 0.5 * torch.randn(shape, dtype=torch.float64) for name, shape in shapes.items()}
    )
    aggregate = Moments.of(across_maps(40)).aggregate()
    draws = distribution.sample(torch.Size([200_000])).flatten(1)
    wanted = kl_divergence(
        MultivariateNormal(aggregate.mean[0], aggregate.covariance[0]),
        MultivariateNormal(draws.mean(0), draws.mT.cov()),
    ).item()
    assert aggregate.divergence_from(distribution) == pytest.approx(wanted, rel=0.05)
    standard = independent_normals(torch.zeros(3, 2, 2).double(), torch.ones(3, 2, 2).double())
    assert aggregate.divergence_from(standard) == pytest.approx(aggregate.divergence_from_standard())
