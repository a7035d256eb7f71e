"""What every likelihood promises: shapes, a mean in range, a mass that adds up, gradients everywhere."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from spatialvae.likelihoods import LIKELIHOODS, AbstractLikelihood, AbstractPixels
from tests.likelihoods.levels import LEVELS, pixels

LINEAR = ["gaussian:mean=linear", "discretized-logistic:mean=linear"]
SPECS = [*LIKELIHOODS, "gaussian:scale=0.1", "gaussian:scale=1", *LINEAR]
OUTPUTS = [-40.0, -3.0, -0.4, -1e-3, 0.0, 1e-3, 0.7, 2.0, 40.0]

every_likelihood = pytest.mark.parametrize("spec", SPECS)


def images(batch: int = 4) -> torch.Tensor:
    return torch.randint(0, 256, (batch, 3, 5, 6)) / 127.5 - 1


@every_likelihood
def test_shapes(spec: str) -> None:
    distribution = LIKELIHOODS.parse(spec)(torch.randn(4, 3, 5, 6))
    assert isinstance(distribution, AbstractPixels)
    assert (distribution.batch_shape, distribution.event_shape) == ((4,), (3, 5, 6))
    assert distribution.mean.shape == distribution.sample().shape == (4, 3, 5, 6)
    assert distribution.sample(torch.Size([2])).shape == (2, 4, 3, 5, 6)
    assert distribution.log_prob(images()).shape == distribution.log_mass(images()).shape == (4,)


@every_likelihood
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_each_output_moves_the_mean_that_it_says(spec: str, channels: int) -> None:
    likelihood = LIKELIHOODS.parse(spec)
    means = likelihood.means(channels)
    assert likelihood.outputs(channels) == len(means)
    assert {mean for mean in means if mean is not None} == set(range(channels))
    output = torch.zeros(1, len(means), 1, 1)
    slopes = torch.autograd.functional.jacobian(lambda out: likelihood(out).mean, output).reshape(channels, -1)
    for slope, mean in zip(slopes.T, means, strict=True):
        moved = set(slope.nonzero().flatten().tolist())
        assert moved == (set() if mean is None else {mean})
        assert (slope >= 0).all()


@pytest.mark.parametrize("spec", LINEAR)
def test_a_linear_mean_is_the_output(spec: str) -> None:
    output = 3 * torch.randn(2, 3, 4, 5)
    assert torch.equal(LIKELIHOODS.parse(spec)(output).mean, output)


@every_likelihood
def test_the_mean_is_an_image_and_grows_with_the_output(spec: str) -> None:
    mean = LIKELIHOODS.parse(spec)(pixels(torch.tensor(OUTPUTS))).mean.flatten()
    assert mean.abs().max() <= 1 or spec in LINEAR
    assert (mean.diff() >= 0).all()
    assert_close(mean[4], torch.zeros((), dtype=torch.float64))
    # Trained on [-1, 1], not on [0, 1]: both ends are reached.
    assert mean[0] < -0.999
    assert mean[-1] > 0.999


@every_likelihood
@pytest.mark.parametrize("output", OUTPUTS)
def test_the_masses_of_the_256_values_add_up_to_one(spec: str, output: float) -> None:
    distribution = LIKELIHOODS.parse(spec).double()(pixels(output))
    assert_close(distribution.log_mass(pixels(LEVELS)).exp().sum(), torch.ones((), dtype=torch.float64))


@every_likelihood
def test_images_are_sums_over_pixels(spec: str) -> None:
    output, value = torch.randn(2, 3, 5, 6, dtype=torch.float64), images(2).double()
    likelihood = LIKELIHOODS.parse(spec)
    whole, parts = likelihood(output), likelihood(output.reshape(-1, 1, 1, 1))
    for name in ("log_prob", "log_mass"):
        summed = getattr(parts, name)(value.reshape(-1, 1, 1, 1)).reshape(2, -1).sum(1)
        assert_close(getattr(whole, name)(value), summed)


@every_likelihood
@pytest.mark.parametrize("name", ["log_prob", "log_mass"])
def test_finite_with_finite_gradients_at_the_extremes_in_float32(spec: str, name: str) -> None:
    likelihood = LIKELIHOODS.parse(spec)
    output = torch.tensor(OUTPUTS).repeat_interleave(256).reshape(-1, 1, 1, 1).requires_grad_()
    value = LEVELS.float().repeat(len(OUTPUTS)).reshape(-1, 1, 1, 1)
    for shift in (-6.0, 0.0, 6.0):  # a learned scale at its floor, where it starts, and very wide
        for parameter in likelihood.parameters():
            torch.nn.init.constant_(parameter, shift)
        likelihood.zero_grad()
        terms = getattr(likelihood(output), name)(value)
        assert torch.isfinite(terms).all()
        terms.sum().backward()
        assert output.grad is not None
        assert torch.isfinite(output.grad).all()
        assert all(p.grad is not None and torch.isfinite(p.grad) for p in likelihood.parameters())


@every_likelihood
def test_float32_has_the_digits_of_float64(spec: str) -> None:
    likelihood, output, value = LIKELIHOODS.parse(spec), torch.randn(3, 3, 5, 6), images(3)
    for name in ("log_prob", "log_mass"):
        single = getattr(likelihood(output), name)(value)
        double = getattr(likelihood.double()(output.double()), name)(value.double())
        assert_close(single.double(), double, rtol=1e-4, atol=1e-2)
        likelihood = likelihood.float()


@every_likelihood
def test_every_parameter_gets_a_gradient_and_an_update(spec: str) -> None:
    likelihood = LIKELIHOODS.parse(spec)
    before = {name: value.detach().clone() for name, value in likelihood.named_parameters()}
    assert len(before) == (1 if spec in ("gaussian", "discretized-logistic", *LINEAR) else 0)
    output = torch.randn(4, 3, 5, 6, requires_grad=True)
    optimizer = torch.optim.Adam([output, *likelihood.parameters()], lr=0.1)
    (-likelihood(output).log_prob(images())).sum().backward()
    optimizer.step()
    assert output.grad is not None
    assert (output.grad != 0).all()
    for name, value in likelihood.named_parameters():
        assert value.grad is not None
        assert not torch.equal(value, before[name]), name


@every_likelihood
def test_samples_have_the_mean(spec: str) -> None:
    distribution = LIKELIHOODS.parse(spec)(torch.tensor([-0.5, 0.0, 0.3]).reshape(1, 3, 1, 1))
    draws = distribution.sample(torch.Size([20_000]))
    assert not draws.requires_grad
    # The discretised distribution is clipped to the pixel range, which pulls means towards 0.
    tolerance = 0.03 if "logistic" not in spec else 0.08
    assert_close(draws.mean(0), distribution.mean.detach(), rtol=0, atol=tolerance)


def test_the_contract_is_of_modules() -> None:
    assert all(isinstance(LIKELIHOODS.parse(spec), AbstractLikelihood) for spec in SPECS)
