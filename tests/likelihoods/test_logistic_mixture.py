"""Mixtures of logistics over the channels of a pixel: masses by enumeration and Monte Carlo, against scipy."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.testing import assert_close

from spatialvae.errors import UserError
from spatialvae.likelihoods import LogisticMixture
from spatialvae.likelihoods.logistic import LogisticPixels
from spatialvae.likelihoods.logistic_mixture import LogisticMixturePixels
from tests.likelihoods.levels import LEVELS

FORMATS = [torch.float32, torch.float64]


def mixture(
    channels: int, components: int = 3, scale: float = 0.2, levels: int = 256, dtype: torch.dtype = torch.float64
) -> LogisticMixturePixels:
    """One pixel whose components lie apart and whose channels depend on each other."""
    torch.manual_seed(channels)
    pairs = channels * (channels - 1) // 2
    logits, loc = torch.randn(1, components, 1, 1, dtype=dtype), torch.randn(1, components, channels, 1, 1, dtype=dtype)
    scales = scale * (1 + torch.rand(1, components, channels, 1, 1, dtype=dtype))
    coefficients = torch.randn(1, components, pairs, 1, 1, dtype=dtype).tanh()
    return LogisticMixturePixels(logits, 0.6 * loc, scales, coefficients, levels)


def every_value(channels: int, levels: int) -> Tensor:
    """[levels^channels, 1, channels, 1, 1]: leading axes are samples of a batch of one."""
    axis = torch.linspace(-1, 1, levels, dtype=torch.float64)
    return torch.cartesian_prod(*[axis] * channels).reshape(-1, 1, channels, 1, 1)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("scale", [1e-3, 0.2, 1e3])
def test_the_masses_of_all_values_of_a_pixel_add_up_to_one(channels: int, scale: float) -> None:
    levels = {1: 256, 2: 64, 3: 8, 4: 8}[channels]
    total = mixture(channels, scale=scale, levels=levels).log_mass(every_value(channels, levels)).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-9)


def test_the_masses_of_256_cubed_values_add_up_to_one_by_monte_carlo() -> None:
    distribution, wide = mixture(3, scale=0.3), mixture(3, scale=0.6)
    values = wide.sample(torch.Size([200_000]))  # importance: of another mixture, whose tails are heavier
    weights = (distribution.log_mass(values) - wide.log_mass(values)).exp().flatten()
    assert abs(weights.mean() - 1) < 4 * weights.std() / math.sqrt(len(weights))
    assert weights.std() / math.sqrt(len(weights)) < 0.02


@pytest.mark.parametrize("levels", [2, 8])
def test_draws_have_the_masses_as_frequencies(levels: int) -> None:
    distribution, count = mixture(3, levels=levels), 100_000
    values = every_value(3, levels)
    masses = distribution.log_mass(values).exp().flatten()
    draws = ((distribution.sample(torch.Size([count]))[:, 0, :, 0, 0] + 1) / 2 * (levels - 1)).round().long()
    index = (draws * torch.tensor([levels**2, levels, 1])).sum(1)
    counts = torch.bincount(index, minlength=levels**3).double()
    expected = masses * count
    often = expected > 5
    statistic = ((counts - expected).square() / expected)[often].sum().item()
    assert stats.chi2.sf(statistic, int(often.sum()) - 1) > 1e-3


def test_the_mass_is_that_of_scipys_logistics() -> None:
    distribution = mixture(3)
    for value in ([-1.0, LEVELS[255].item(), LEVELS[77].item()], [LEVELS[0].item(), LEVELS[128].item(), 1.0]):
        weights = torch.softmax(distribution.log_weights.flatten(), 0).numpy()
        total = 0.0
        for k in range(3):
            a = distribution.coefficients[0, k].flatten().tolist()
            shifts = [0.0, a[0] * value[0], a[1] * value[0] + a[2] * value[1]]
            product = weights[k]
            for c, x in enumerate(value):
                logistic = stats.logistic(
                    distribution.loc[0, k, c].item() + shifts[c], distribution.scale[0, k, c].item()
                )
                above = 1.0 if x == 1 else logistic.cdf(x + 1 / 255)
                below = 0.0 if x == -1 else logistic.cdf(x - 1 / 255)
                product *= above - below
            total += product
        image = torch.tensor(value, dtype=torch.float64).reshape(1, 3, 1, 1)
        assert distribution.log_mass(image).item() == pytest.approx(math.log(total), rel=1e-8)


def test_one_component_of_one_channel_is_the_logistic() -> None:
    loc, scale = torch.randn(2, 1, 4, 5, dtype=torch.float64), torch.rand(2, 1, 4, 5, dtype=torch.float64) + 0.01
    value = LEVELS[torch.randint(0, 256, (2, 1, 4, 5))]
    distribution = LogisticMixturePixels(torch.randn(2, 1, 4, 5), loc[:, None], scale[:, None], loc[:, None, :0])
    plain = LogisticPixels(loc, scale)
    assert_close(distribution.log_mass(value), plain.log_mass(value))
    assert torch.equal(distribution.mode, plain.mode)


@pytest.mark.parametrize("scale", [0.01, 0.1, 0.5, 20.0])
def test_the_mean_of_a_first_channel_is_the_expectation(scale: float) -> None:
    distribution = mixture(1, scale=scale)
    values = LEVELS.reshape(-1, 1, 1, 1, 1)
    expected = (distribution.log_mass(values).exp().flatten() * LEVELS).sum().item()
    assert distribution.mean.item() == pytest.approx(expected, abs=2e-4)  # the rounding to levels


def test_the_mean_of_all_channels_is_the_expectation_where_nothing_is_clipped() -> None:
    inside = mixture(3, scale=0.01)
    distribution = LogisticMixturePixels(inside.log_weights, 0.2 * inside.loc, inside.scale, inside.coefficients)
    draws = distribution.sample(torch.Size([200_000])).squeeze()
    assert draws.abs().max() < 1
    assert_close(distribution.mean.flatten(), draws.mean(0), rtol=0, atol=2e-3)
    total = every_value(3, 64)
    masses = (
        LogisticMixturePixels(
            distribution.log_weights, distribution.loc, distribution.scale, distribution.coefficients, 64
        )
        .log_mass(total)
        .exp()
    )
    assert_close(
        distribution.mean.flatten(), (masses[..., None] * total.squeeze()[:, None]).sum((0, 1)), rtol=0, atol=5e-3
    )


def test_the_mode_is_the_likeliest_of_all_values_where_components_are_apart() -> None:
    distribution = mixture(3, scale=0.02, levels=16)
    values = every_value(3, 16)
    best = values[distribution.log_mass(values).flatten().argmax()]
    assert_close(distribution.mode, best)


@pytest.mark.parametrize("dtype", FORMATS, ids=["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e4, 1e15])
@pytest.mark.parametrize("place", [-1e4, -1.0, 0.0, 1.0, 1e4])
def test_finite_with_finite_gradients_at_any_scale_and_place(dtype: torch.dtype, scale: float, place: float) -> None:
    parts = [
        torch.tensor([80.0, -80.0, 0.0], dtype=dtype)[None, :, None, None],
        torch.full((1, 3, 3, 1, 1), place, dtype=dtype),
        torch.full((1, 3, 3, 1, 1), scale, dtype=dtype),
        torch.ones(1, 3, 3, 1, 1, dtype=dtype),
    ]
    weights, loc, scales, coefficients = leaves = [part.requires_grad_() for part in parts]
    for value in itertools.product([-1.0, LEVELS[100].item(), 1.0], repeat=3):
        mass = LogisticMixturePixels(weights, loc, scales, coefficients).log_mass(
            torch.tensor(value, dtype=dtype).reshape(1, 3, 1, 1)
        )
        mean = LogisticMixturePixels(weights, loc, scales, coefficients).mean
        assert mass.isfinite().all() and mean.isfinite().all()
        for gradient in torch.autograd.grad(mass.sum() + mean.sum(), leaves):
            assert gradient.isfinite().all()


@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0, 1e4])
def test_raw_outputs_of_any_size_have_finite_bounds_and_gradients(size: float) -> None:
    torch.manual_seed(0)
    output = (size * torch.randn(8, 50, 4, 4)).requires_grad_()
    value = (torch.randint(0, 256, (8, 3, 4, 4)) / 127.5 - 1).float()
    mass = LogisticMixture()(output).log_prob(value)
    mass.sum().backward()
    assert mass.isfinite().all() and output.grad is not None and output.grad.isfinite().all()


def test_components_start_apart() -> None:
    scales = LogisticMixture()(torch.zeros(1, 15, 1, 1)).scale.flatten()
    assert len(scales.unique()) == 5
    assert scales.max().item() == pytest.approx(0.25)


@pytest.mark.parametrize("outputs", [1, 4, 49, 51])
def test_outputs_that_fit_no_channels_are_refused(outputs: int) -> None:
    with pytest.raises(UserError, match=f"{outputs} outputs a pixel are not possible: 5 components take 15 for"):
        LogisticMixture()(torch.zeros(1, outputs, 2, 2))


def test_memory_does_not_hold_all_levels() -> None:
    # 256 values a number would be 256 times an output; the largest tensor is one of K C numbers a pixel.
    sizes: list[int] = []
    output, value = torch.zeros(2, 50, 16, 16, requires_grad=True), torch.zeros(2, 3, 16, 16)

    def noted(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(noted, lambda tensor: tensor):
        LogisticMixture()(output).log_prob(value)
    assert max(sizes) <= output.numel()
