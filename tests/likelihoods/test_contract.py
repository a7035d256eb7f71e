"""What every likelihood promises: shapes, a mean in range, a mass that adds up, gradients everywhere."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from spatialvae.likelihoods import LIKELIHOODS, AbstractLikelihood, AbstractPixels
from tests.likelihoods.levels import LEVELS, built, pixels, raw

LINEAR = ["gaussian:mean=linear", "logistic:mean=linear"]
FIXED = ["gaussian:scale=0.1", "gaussian:scale=1", "logistic:scale=0.1"]
OF_PIXELS = ["gaussian:scale=pixel", "logistic:scale=pixel", "gaussian:scale=pixel,mean=linear"]
SPECS = [*LIKELIHOODS, *FIXED, *LINEAR, *OF_PIXELS, "logistic-mixture:components=1"]
ONE_SCALE = ["gaussian", "logistic", *LINEAR]
OUTPUTS = [-40.0, -3.0, -0.4, -1e-3, 0.0, 1e-3, 0.7, 2.0, 40.0]

every_likelihood = pytest.mark.parametrize("spec", SPECS)


def images(batch: int = 4) -> Tensor:
    return torch.randint(0, 256, (batch, 3, 5, 6)) / 127.5 - 1


def random_output(likelihood: AbstractLikelihood, batch: int = 4) -> Tensor:
    return torch.randn(batch, likelihood.outputs(3), 5, 6)


@every_likelihood
def test_shapes(spec: str) -> None:
    likelihood = built(spec, 3)
    distribution = likelihood(random_output(likelihood))
    assert isinstance(distribution, AbstractPixels)
    assert (distribution.batch_shape, distribution.event_shape) == ((4,), (3, 5, 6))
    assert (
        distribution.mean.shape
        == distribution.mode.shape
        == distribution.outline.shape
        == distribution.sample().shape
        == (4, 3, 5, 6)
    )
    assert distribution.sample(torch.Size([2])).shape == (2, 4, 3, 5, 6)
    assert distribution.log_prob(images()).shape == distribution.log_mass(images()).shape == (4,)
    several = images(8).reshape(2, 4, 3, 5, 6)
    assert_close(distribution.log_mass(several), torch.stack([distribution.log_mass(some) for some in several]))


@every_likelihood
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_each_output_moves_the_mean_that_it_says(spec: str, channels: int) -> None:
    likelihood = built(spec, channels)
    means = likelihood.means(channels)
    assert likelihood.outputs(channels) == len(means)
    assert {mean for mean in means if mean is not None} == set(range(channels))
    output = torch.zeros(1, len(means), 1, 1)
    slopes = torch.autograd.functional.jacobian(lambda out: likelihood(out).outline, output).reshape(channels, -1)
    for slope, mean in zip(slopes.T, means, strict=True):
        moved = set((slope.abs() > 1e-6).nonzero().flatten().tolist())
        assert moved == (set() if mean is None else {mean})
        assert (slope > -1e-6).all()


@pytest.mark.parametrize("spec", LINEAR)
def test_a_linear_mean_is_the_output(spec: str) -> None:
    output = 3 * torch.randn(2, 3, 4, 5)
    assert torch.equal(LIKELIHOODS.parse(spec)(output).mean, output)


@every_likelihood
def test_the_mean_is_an_image_and_grows_with_the_output(spec: str) -> None:
    likelihood = built(spec, 1)
    mean = likelihood(raw(likelihood, pixels(torch.tensor(OUTPUTS)))).mean.flatten()
    assert mean.abs().max() <= 1 or "mean=linear" in spec
    assert (mean.diff() >= 0).all()
    assert_close(mean[4], torch.zeros((), dtype=torch.float64))
    # Trained on [-1, 1], not on [0, 1]: both ends are reached.
    assert mean[0] < -0.999
    assert mean[-1] > 0.999


@every_likelihood
@pytest.mark.parametrize("output", OUTPUTS)
def test_the_masses_of_the_256_values_add_up_to_one(spec: str, output: float) -> None:
    likelihood = built(spec, 1).double()
    distribution = likelihood(raw(likelihood, pixels(output)))
    assert_close(distribution.log_mass(pixels(LEVELS)[:, None]).exp().sum(), torch.ones((), dtype=torch.float64))


@every_likelihood
@pytest.mark.parametrize("name", ["log_prob", "log_mass"])
def test_finite_with_finite_gradients_at_the_extremes_in_float32(spec: str, name: str) -> None:
    likelihood = built(spec, 1)
    place = torch.tensor(OUTPUTS).repeat_interleave(256).reshape(-1, 1, 1, 1)
    value = LEVELS.float().repeat(len(OUTPUTS)).reshape(-1, 1, 1, 1)
    for shift in (-6.0, 0.0, 6.0):  # a learned scale at its floor, where it starts, and very wide
        for parameter in likelihood.parameters():
            torch.nn.init.constant_(parameter, shift)
        likelihood.zero_grad()
        output = raw(likelihood, place, 10 * shift).requires_grad_()
        terms = getattr(likelihood(output), name)(value)
        assert torch.isfinite(terms).all()
        terms.sum().backward()
        assert output.grad is not None
        assert torch.isfinite(output.grad).all()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in likelihood.parameters())


@every_likelihood
def test_float32_has_the_digits_of_float64(spec: str) -> None:
    likelihood, value = built(spec, 3), images(3)
    output = random_output(likelihood, 3)
    for name in ("log_prob", "log_mass"):
        single = getattr(likelihood(output), name)(value)
        double = getattr(likelihood.double()(output.double()), name)(value.double())
        assert_close(single.double(), double, rtol=1e-4, atol=1e-2)
        likelihood = likelihood.float()


@every_likelihood
def test_every_parameter_gets_a_gradient_and_an_update(spec: str) -> None:
    likelihood = built(spec, 3)
    for parameter in likelihood.parameters():  # a network's last layer starts at 0, where the others get nothing
        torch.nn.init.normal_(parameter, std=0.1)
    before = {name: value.detach().clone() for name, value in likelihood.named_parameters()}
    assert (len(before) == 1) == (spec in ONE_SCALE)
    output = random_output(likelihood).requires_grad_()
    optimizer = torch.optim.Adam([output, *likelihood.parameters()], lr=0.1)
    (-likelihood(output).log_prob(images())).sum().backward()
    optimizer.step()
    assert output.grad is not None
    # A component that explains no pixel gets nothing there, and the weight of an only one never anything.
    reached = (output.grad != 0).transpose(0, 1).flatten(1).any(1)
    assert (~reached).sum() == (spec == "logistic-mixture:components=1")
    for name, value in likelihood.named_parameters():
        assert value.grad is not None
        assert not torch.equal(value, before[name]), name


@every_likelihood
def test_samples_have_the_mean(spec: str) -> None:
    likelihood = built(spec, 3)
    distribution = likelihood(raw(likelihood, torch.tensor([-0.5, 0.0, 0.3]).reshape(1, 3, 1, 1)))
    draws = distribution.sample(torch.Size([20_000]))
    assert not draws.requires_grad
    # The centre of a discretised logistic is clipped to the pixel range, which pulls means towards 0.
    tolerance = 0.08 if spec.split(":")[0] == "logistic" else 0.03
    assert_close(draws.mean(0), distribution.mean.detach(), rtol=0, atol=tolerance)


@every_likelihood
def test_samples_are_functions_of_the_seed_alone(spec: str) -> None:
    likelihood = built(spec, 3)
    output = random_output(likelihood, 3)
    torch.manual_seed(5)
    draws = likelihood(output).sample()
    torch.manual_seed(5)
    assert torch.equal(draws, likelihood(output).sample())
    noise = torch.rand(3, *likelihood(output).noise_shape)
    whole = likelihood(output).drawn(noise)
    assert_close(whole[:1], likelihood(output[:1]).drawn(noise[:1]))


@every_likelihood
def test_the_mode_is_the_likeliest_image(spec: str) -> None:
    likelihood = built(spec, 1).double()
    distribution = likelihood(raw(likelihood, pixels(torch.tensor([-3.0, -0.4, 1e-3, 0.7, 4.0]))))
    coins = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    tried = coins if spec == "bernoulli" else LEVELS  # of a coin the sides, of a density the levels and the mode
    others = torch.stack([distribution.log_prob(torch.full_like(distribution.mode, float(level))) for level in tried])
    assert (distribution.log_prob(distribution.mode) >= others.max(0).values - 1e-9).all()


@every_likelihood
def test_short_formats_are_computed_in_float32(spec: str) -> None:
    likelihood = built(spec, 3)
    output, value = random_output(likelihood).bfloat16(), images()
    if "pixel" in spec or "mixture" in spec:
        terms = likelihood(output).log_prob(value)
        assert terms.dtype == torch.float32
        assert torch.equal(terms, likelihood(output.float()).log_prob(value))


def test_the_contract_is_of_modules() -> None:
    assert all(isinstance(LIKELIHOODS.parse(spec), AbstractLikelihood) for spec in SPECS)
