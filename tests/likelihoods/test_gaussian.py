"""The Gaussian against scipy's, its floor, and density against mass."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from spatialvae.likelihoods import Gaussian
from spatialvae.likelihoods.gaussian import FLOOR, GaussianPixels
from tests.likelihoods.levels import HALF, LEVELS, pixels

SCALES = [0.01, 0.1, 0.5, 3.0]


@pytest.mark.parametrize("scale", SCALES)
def test_density_of_scipy(scale: float) -> None:
    output, value = torch.randn(2, 3, 4, 5, dtype=torch.float64), torch.rand(2, 3, 4, 5, dtype=torch.float64) * 2 - 1
    oracle = stats.norm.logpdf(value.numpy(), np.tanh(output.numpy()), scale).sum((1, 2, 3))
    assert_close(Gaussian(scale)(output).log_prob(value), torch.from_numpy(oracle))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("loc", [-1.0, -0.3, 0.0, 0.004, 1.0])
def test_mass_of_scipy(scale: float, loc: float) -> None:
    distribution = stats.norm(loc, scale)
    edges = LEVELS.numpy() + HALF
    oracle = np.diff(np.concatenate([[0.0], distribution.cdf(edges[:-1]), [1.0]]))
    mass = GaussianPixels(pixels(loc), torch.tensor(scale, dtype=torch.float64)).log_mass(pixels(LEVELS)).exp()
    assert_close(mass, torch.from_numpy(oracle), rtol=1e-9, atol=1e-14)


def test_far_tails_keep_their_digits() -> None:
    # 100 scales out: the CDFs are 0 and 1 in any float, the difference of their logarithms is not lost.
    distribution = GaussianPixels(pixels(0.0), torch.tensor(0.01, dtype=torch.float64))
    oracle = stats.norm.logsf((LEVELS[254] - HALF) / 0.01)  # the mass of the bin is that of the tail it starts
    for level in (1, 254):
        assert_close(distribution.log_mass(pixels(LEVELS[level])), torch.tensor([oracle]), rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("scale", [0.3, 0.5, 2.0])
def test_mass_is_density_times_the_bin_for_wide_scales(scale: float) -> None:
    distribution, inner = GaussianPixels(pixels(0.1), torch.tensor(scale, dtype=torch.float64)), pixels(LEVELS[1:-1])
    by_density = distribution.log_prob(inner) + math.log(2 * HALF)
    assert_close(distribution.log_mass(inner), by_density, rtol=0, atol=1e-3)
    # The outermost bins are whole tails, never less than their share of the density.
    outer = pixels(LEVELS[[0, -1]])
    assert (distribution.log_mass(outer) >= distribution.log_prob(outer) + math.log(2 * HALF) - 1e-3).all()


def test_narrow_scales_cannot_earn_more_than_one() -> None:
    # A density of 40 a pixel is a mass of at most 1: bits per dimension come from the mass.
    distribution = GaussianPixels(pixels(LEVELS[77]), torch.tensor(0.01, dtype=torch.float64))
    assert distribution.log_prob(pixels(LEVELS[77])) > 3
    assert distribution.log_mass(pixels(LEVELS[77])) < 0


def test_the_scale_starts_at_a_half_and_has_a_floor() -> None:
    likelihood = Gaussian()
    assert_close(likelihood(torch.zeros(1, 1, 2, 2)).scale, torch.tensor(0.5))
    torch.nn.init.constant_(likelihood.log_scale, -1000.0)
    assert likelihood(torch.zeros(1, 1, 2, 2)).scale.item() == pytest.approx(FLOOR)


def test_a_fixed_scale_is_no_parameter() -> None:
    assert list(Gaussian(0.3).parameters()) == []
    assert Gaussian(0.3)(torch.zeros(1, 1, 2, 2)).scale.item() == pytest.approx(0.3)


def test_the_best_scale_is_the_root_mean_square_error() -> None:
    likelihood = Gaussian().double()
    value = 0.2 * torch.randn(8, 1, 10, 10, dtype=torch.float64)
    output = torch.zeros_like(value)
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        (-likelihood(output).log_prob(value)).mean().backward()
        optimizer.step()
    assert likelihood(output).scale.item() == pytest.approx(value.square().mean().sqrt().item(), rel=1e-3)
