"""The discretised logistic against scipy's logistic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from spatialvae.likelihoods import Logistic
from spatialvae.likelihoods.logistic import FLOOR, LogisticPixels
from tests.likelihoods.levels import HALF, LEVELS, pixels


@pytest.mark.parametrize("scale", [FLOOR, 0.02, 0.25, 4.0])
@pytest.mark.parametrize("loc", [-1.0, -0.3, 0.0, 0.004, 1.0])
def test_mass_of_scipy(scale: float, loc: float) -> None:
    distribution = stats.logistic(loc, scale)
    edges = LEVELS.numpy() + HALF
    oracle = np.diff(np.concatenate([[0.0], distribution.cdf(edges[:-1]), [1.0]]))
    pixel = LogisticPixels(pixels(loc), torch.tensor(scale, dtype=torch.float64))
    assert_close(pixel.log_mass(pixels(LEVELS)).exp(), torch.from_numpy(oracle), rtol=1e-9, atol=1e-14)


def test_far_tails_keep_their_digits() -> None:
    distribution = LogisticPixels(pixels(0.0), torch.tensor(FLOOR, dtype=torch.float64))
    inner = (LEVELS[254] - HALF) / FLOOR
    # log[F(-a) - F(-b)] for large a < b is -a + log(1 - e^(a - b)).
    oracle = -inner + torch.log1p(-torch.exp(torch.tensor(-2 * HALF / FLOOR, dtype=torch.float64)))
    for level in (1, 254):
        assert_close(distribution.log_mass(pixels(LEVELS[level])), oracle.reshape(1))


def test_the_bound_is_of_the_8_bit_image() -> None:
    distribution, value = (
        Logistic()(torch.randn(2, 3, 4, 4)),
        torch.randint(0, 256, (2, 3, 4, 4)) / 127.5 - 1,
    )
    assert torch.equal(distribution.log_prob(value), distribution.log_mass(value))
    assert (distribution.log_mass(value) < 0).all()


def test_samples_are_8_bit_values_with_the_masses_frequencies() -> None:
    distribution = LogisticPixels(pixels(0.9), torch.tensor(0.05, dtype=torch.float64))
    levels = ((distribution.sample(torch.Size([50_000])).flatten() + 1) * 127.5).round()
    assert levels.min() >= 0
    assert levels.max() <= 255
    share = (levels == 255).double().mean()
    mass = distribution.log_mass(pixels(LEVELS[255])).exp()
    assert abs(share - mass) < 5 * (mass * (1 - mass) / 50_000).sqrt()


def test_the_scale_has_a_floor() -> None:
    likelihood = Logistic()
    torch.nn.init.constant_(likelihood.log_scale, -1000.0)
    assert likelihood(torch.zeros(1, 1, 2, 2)).scale.item() == pytest.approx(FLOOR)
