"""The masses of the 256 values at every scale, in float32 and float64, against scipy and densities in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import stats
from scipy.special import log1p
from torch import Tensor
from torch.testing import assert_close

from spatialvae.likelihoods.base import AbstractPixels
from spatialvae.likelihoods.bernoulli import BernoulliPixels
from spatialvae.likelihoods.gaussian import GaussianPixels
from spatialvae.likelihoods.logistic import LogisticPixels
from tests.likelihoods.levels import HALF, LEVELS, pixels

SCALES = [1e-9, 1e-5, 1e-3, 0.05, 0.2, 1.0, 30.0, 1e3, 1e5, 1e8, 1e15]
FORMATS = [torch.float32, torch.float64]
LAWS: list[tuple[Callable[[Tensor, Tensor], AbstractPixels], stats.rv_continuous]] = [
    (GaussianPixels, stats.norm),
    (LogisticPixels, stats.logistic),
]


def oracle(distribution: stats.rv_continuous, loc: float, scale: float) -> npt.NDArray[np.float64]:
    """log of the 256 masses: by the density in narrow bins, by the tails' logarithms in wide ones."""
    inner, half = LEVELS.numpy()[1:-1], HALF / scale
    centred = (inner - loc) / scale
    if half < 1e-3:  # the density's change over a bin, to second order: phi''/phi of the normal, f''/f of the logistic
        bend = (
            centred**2 - 1
            if distribution is stats.norm
            else 1 - 6 * stats.logistic.cdf(centred) * stats.logistic.sf(centred)
        )
        middle = distribution.logpdf(centred) + np.log(2 * half) + log1p(bend * half**2 / 6)
    else:
        upper, lower = distribution.logcdf(-abs(centred) + half), distribution.logcdf(-abs(centred) - half)
        middle = upper + np.log(-np.expm1(lower - upper))
    ends = distribution.logcdf((-1 + HALF - loc) / scale), distribution.logsf((1 - HALF - loc) / scale)
    return np.concatenate([[ends[0]], middle, [ends[1]]])


@pytest.mark.parametrize("distribution", LAWS, ids=["gaussian", "logistic"])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("loc", [-1.0, 0.3, 1.0])
@pytest.mark.parametrize("dtype", FORMATS, ids=["float32", "float64"])
def test_masses_are_right_and_their_gradients_finite(
    distribution: tuple[Callable[[Tensor, Tensor], AbstractPixels], stats.rv_continuous],
    scale: float,
    loc: float,
    dtype: torch.dtype,
) -> None:
    make, of_scipy = distribution
    place = pixels(torch.full((256,), loc, dtype=torch.float64)).to(dtype).requires_grad_()
    spread = torch.tensor(scale, dtype=dtype, requires_grad=True)
    mass = make(place, spread).log_mass(pixels(LEVELS).to(dtype))
    wanted = torch.from_numpy(oracle(of_scipy, loc, scale))
    # Of float32's distance to the mean seven digits are right: what a wrong last one does grows as the scale falls.
    slack = 1e-6 if dtype == torch.float64 else 1e-5 + 1e-6 / scale
    assert_close(mass.detach().double(), wanted, rtol=3e-6 if dtype == torch.float32 else 1e-8, atol=slack)
    mass.sum().backward()
    for parameter in (place, spread):
        assert parameter.grad is not None and parameter.grad.isfinite().all()


@pytest.mark.parametrize("dtype", FORMATS, ids=["float32", "float64"])
def test_wide_masses_have_the_densitys_gradient(dtype: torch.dtype) -> None:
    for make, of_scipy in LAWS:
        scale = torch.tensor(1e4, dtype=dtype, requires_grad=True)
        inner = pixels(LEVELS[1:-1]).to(dtype)
        make(torch.zeros_like(inner), scale).log_mass(inner).mean().backward()
        assert scale.grad is not None
        assert scale.grad.item() == pytest.approx(-1e-4, rel=1e-5), of_scipy  # of -log(scale)


@pytest.mark.parametrize("logit", [0.0, 1e-30, 1e-6, -1e-3, 0.19, -0.21, 3.0, -40.0, 1e4])
@pytest.mark.parametrize("dtype", FORMATS, ids=["float32", "float64"])
def test_a_coins_masses_and_gradients(logit: float, dtype: torch.dtype) -> None:
    given = pixels(torch.full((256,), logit, dtype=torch.float64)).to(dtype).requires_grad_()
    mass = BernoulliPixels(given).log_mass(pixels(LEVELS).to(dtype))
    level, slope = np.arange(256), abs(logit) / 256
    powers = slope * (level - 255) if logit >= 0 else -slope * level
    total = np.log(np.exp(powers - powers.max()).sum()) + powers.max()  # mass(u) is proportional to r^u
    wanted = torch.from_numpy(powers - total)
    assert_close(mass.detach().double(), wanted, rtol=1e-6, atol=1e-5 if dtype == torch.float32 else 1e-11)
    mass.sum().backward()
    gradient = (
        level - (np.exp(powers - total) * level).sum()
    ) / 256  # of a distribution of one parameter: u less its mean
    assert given.grad is not None
    assert_close(given.grad.flatten().double(), torch.from_numpy(gradient), rtol=1e-4, atol=1e-5)
