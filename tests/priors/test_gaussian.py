"""The Gaussian fitted to the aggregate posterior: moments, density, draws, few images."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Distribution
from torch.testing import assert_close

import spatialvae.priors.gaussian as module
from spatialvae.latents.base import independent_normals
from spatialvae.priors import GaussianPrior, fit_gaussian

EVENT = (2, 1, 3)
NUMBERS = 6


def batches(loc: Tensor, scale: Tensor, size: int = 1000) -> Callable[[], Iterable[Distribution]]:
    """Posteriors of `len(loc)` images, in batches."""
    return lambda: (independent_normals(a, b) for a, b in zip(loc.split(size), scale.split(size), strict=True))


def covariance(prior: GaussianPrior) -> Tensor:
    return prior.scale_tril @ prior.scale_tril.mT


def made_up(full: bool = True) -> GaussianPrior:
    factor = (torch.eye(NUMBERS) + 0.4 * torch.randn(NUMBERS, NUMBERS)).tril()
    diagonal = factor.diagonal().abs() + 0.2
    return GaussianPrior(torch.randn(EVENT), factor.tril(-1) + diagonal.diag() if full else diagonal)


def test_it_recovers_the_moments_of_a_known_aggregate() -> None:
    # Means spread as N(shift, spread), each image's own variance on top: the aggregate has their sum.
    count = 40_000
    factor = torch.randn(NUMBERS, NUMBERS).tril()
    shift = torch.randn(NUMBERS)
    loc = (shift + torch.randn(count, NUMBERS) @ factor.mT).view(count, *EVENT)
    scale = torch.linspace(0.1, 1.5, NUMBERS).view(EVENT).expand(count, *EVENT)
    prior = fit_gaussian(batches(loc, scale), EVENT, count)
    wanted = factor @ factor.mT + scale[0].flatten().square().diag()
    spread = wanted.diagonal().sqrt()
    assert prior.loc.shape == EVENT
    assert prior.loc.dtype == prior.scale_tril.dtype == torch.float32
    error = (covariance(prior) - wanted) / torch.outer(spread, spread)
    assert error.abs().max() < 6 / count**0.5
    assert ((prior.loc.flatten() - shift).abs() / spread).max() < 6 / count**0.5


def test_large_codes_get_independent_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_FULL", NUMBERS - 1)
    loc = torch.randn(5000, *EVENT) * 2 + 1
    prior = fit_gaussian(batches(loc, torch.ones_like(loc)), EVENT, len(loc))
    assert prior.scale_tril.shape == (NUMBERS,)
    assert_close(prior.scale_tril, torch.full((NUMBERS,), 5**0.5), rtol=0.06, atol=0)
    assert_close(prior.loc, torch.ones(EVENT), rtol=0, atol=0.2)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_images_are_drawn_from_often_enough(count: int) -> None:
    loc = torch.randn(count, *EVENT)
    scale = 0.3 * torch.ones_like(loc)
    prior = fit_gaussian(batches(loc, scale), EVENT, count)
    assert torch.isfinite(prior.scale_tril).all()
    assert torch.isfinite(prior.sample(torch.Size([8]))).all()
    assert (torch.linalg.eigvalsh(covariance(prior).double()) > 0).all()


def test_posteriors_of_nearly_no_width_are_no_obstacle() -> None:
    # Three points in six dimensions: a covariance of rank two, which has no Cholesky factor of its own.
    loc = torch.randn(3, *EVENT)
    prior = fit_gaussian(batches(loc, 1e-6 * torch.ones_like(loc)), EVENT, 3)
    assert torch.isfinite(prior.scale_tril).all()
    assert (prior.scale_tril.diagonal() > 0).all()


@pytest.mark.parametrize("full", [True, False])
def test_density_of_scipy(full: bool) -> None:
    prior = made_up(full)
    matrix = covariance(prior) if full else prior.scale_tril.square().diag()
    z = torch.randn(5, 2, *EVENT)
    z_flat, mean, matrix = (value.double().numpy() for value in (z.flatten(2), prior.loc.flatten(), matrix))
    oracle = torch.from_numpy(stats.multivariate_normal.logpdf(z_flat, mean, matrix)).float()  # pyright: ignore[reportArgumentType]
    assert_close(prior.log_prob(z), oracle, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("full", [True, False])
def test_draws(full: bool) -> None:
    prior = made_up(full)
    assert (prior.batch_shape, prior.event_shape) == ((), EVENT)
    assert prior.sample().shape == EVENT
    assert prior.sample([3, 4]).shape == (3, 4, *EVENT)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(prior.sample([4]))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    many = prior.sample([40_000]).flatten(1)
    wanted = covariance(prior) if full else prior.scale_tril.square().diag()
    spread = wanted.diagonal().sqrt()
    assert ((many.mT.cov() - wanted) / torch.outer(spread, spread)).abs().max() < 0.04
    assert ((many.mean(0) - prior.mean.flatten()) / spread).abs().max() < 0.04


def test_the_fit_is_a_function_of_the_seed() -> None:
    loc = torch.randn(50, *EVENT)
    fits = []
    for _ in range(2):
        torch.manual_seed(4)
        fits.append(fit_gaussian(batches(loc, torch.ones_like(loc)), EVENT, 50))
    assert torch.equal(fits[0].scale_tril, fits[1].scale_tril)
