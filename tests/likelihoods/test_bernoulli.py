"""Bernoulli pixels against torch's cross-entropy, and their mass against the integral it stands for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.testing import assert_close

from spatialvae.likelihoods import Bernoulli
from tests.likelihoods.levels import LEVELS, pixels


@pytest.mark.parametrize("spread", [0.1, 1.0, 30.0])
def test_log_prob_is_the_cross_entropy(spread: float) -> None:
    logits = spread * torch.randn(3, 2, 4, 5, dtype=torch.float64)
    value = torch.randint(0, 256, (3, 2, 4, 5)).double() / 127.5 - 1
    entropy = binary_cross_entropy_with_logits(logits, (value + 1) / 2, reduction="none").sum((1, 2, 3))
    assert_close(Bernoulli()(logits).log_prob(value), -entropy)


@pytest.mark.parametrize("logit", [-8.0, -0.5, 0.0, 1e-6, 2.0, 8.0])
@pytest.mark.parametrize("level", [0, 1, 100, 254, 255])
def test_mass_is_the_continuous_bernoullis_integral_over_the_bin(logit: float, level: int) -> None:
    def density(y: float) -> float:
        normalizer = logit / math.expm1(logit) if abs(logit) > 1e-8 else 1.0
        return normalizer * math.exp(logit * y)

    oracle, _ = quad(density, level / 256, (level + 1) / 256, epsabs=1e-14)
    mass = Bernoulli()(pixels(logit)).log_mass(pixels(LEVELS[level])).exp().item()
    assert mass == pytest.approx(oracle, rel=1e-4)


def test_a_very_sure_pixel_neither_overflows_nor_underflows() -> None:
    distribution = Bernoulli()(pixels(torch.tensor([-1e4, 1e4])))
    sure, wrong = distribution.log_mass(pixels(LEVELS[[0, 255]])), distribution.log_mass(pixels(LEVELS[[255, 0]]))
    assert_close(sure, torch.zeros(2, dtype=torch.float64))
    assert_close(wrong, torch.full((2,), -1e4 * 255 / 256, dtype=torch.float64))


def test_black_and_white_images_are_coins() -> None:
    logits = torch.randn(1, 1, 6, 6, dtype=torch.float64)
    value = torch.randint(0, 2, (1, 1, 6, 6)).double() * 2 - 1
    coin = torch.distributions.Bernoulli(logits=logits)
    assert_close(Bernoulli()(logits).log_prob(value), coin.log_prob((value + 1) / 2).sum((1, 2, 3)))
    assert set(np.unique(Bernoulli()(logits).sample().numpy())) <= {-1.0, 1.0}
