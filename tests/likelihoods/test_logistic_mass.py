"""The logistics' masses and their derivatives by hand, against plain formulas and their differences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn.functional import logsigmoid
from torch.testing import assert_close

from spatialvae.globals import globals_kept
from spatialvae.likelihoods import LogisticMixture, logistic_mass
from spatialvae.likelihoods.logistic_mass import logistic_log_mass, mixture_log_mass
from tests.likelihoods.levels import HALF, LEVELS

SHAPES = [(2, 3, 2, 2), (3, 2, 2), (1, 3, 1, 1), (1,), ()]


def plain_log_mass(loc: Tensor, scale: Tensor, value: Tensor) -> Tensor:
    """The mass by torch's own functions, which torch differentiates."""
    centred, half = (value - loc) / scale, HALF / scale
    below = torch.where(value > 1 - HALF, 0.0, logsigmoid(centred + half))
    above = torch.where(value < -1 + HALF, 0.0, logsigmoid(half - centred))
    width = torch.where(value.abs() > 1 - HALF, 0.0, torch.log(-torch.expm1(-2 * half)))
    return below + above + width


def plain_mixture(log_weights: Tensor, loc: Tensor, scale: Tensor, coefficients: Tensor, value: Tensor) -> Tensor:
    total, pairs = log_weights, iter(range(coefficients.shape[-3]))
    for channel in range(loc.shape[-3]):
        centre = loc[..., channel, :, :]
        for before in range(channel):
            centre = centre + coefficients[..., next(pairs), :, :] * value[..., None, before, :, :]
        total = total + plain_log_mass(centre, scale[..., channel, :, :], value[..., None, channel, :, :])
    return total.logsumexp(-3)


def levels(*shape: int) -> Tensor:
    """Values whose first and last are the ends of the range."""
    chosen = LEVELS[torch.randint(0, 256, shape)].flatten()
    chosen[0], chosen[-1] = -1, 1
    return chosen.reshape(shape)


def mixture_parts(components: int, channels: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    torch.manual_seed(components)
    pairs = channels * (channels - 1) // 2
    weights = torch.randn(3, components, 2, 2, dtype=dtype).log_softmax(1)
    loc = 0.7 * torch.randn(3, components, channels, 2, 2, dtype=dtype)
    scale = torch.rand(3, components, channels, 2, 2, dtype=dtype) * 0.5 + 0.02
    coefficients = torch.randn(3, components, pairs, 2, 2, dtype=dtype).tanh()
    return [part.requires_grad_() for part in (weights, loc, scale, coefficients)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_scale_of_any_shape_has_the_gradient_of_differences(shape: tuple[int, ...]) -> None:
    loc = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    scale = (torch.rand(shape, dtype=torch.float64) * 0.3 + 0.01).requires_grad_()
    value = levels(2, 3, 2, 2)
    assert gradcheck(lambda loc, scale: logistic_log_mass(loc, scale, value), (loc, scale))
    inside = (0.9 * torch.rand(2, 3, 2, 2, dtype=torch.float64)).requires_grad_()
    assert gradcheck(logistic_log_mass, (loc, scale, inside))
    several = levels(4, 1, 3, 2, 2)
    assert gradcheck(lambda loc: logistic_log_mass(loc, torch.tensor(0.1), several), loc)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("components", [1, 4])
def test_a_mixture_has_the_gradient_of_differences(channels: int, components: int) -> None:
    parts, value = mixture_parts(components, channels), levels(3, channels, 2, 2)
    assert gradcheck(lambda *given: mixture_log_mass(*given, value=value), parts)
    inside = (0.9 * torch.rand(3, channels, 2, 2, dtype=torch.float64)).requires_grad_()
    assert gradcheck(mixture_log_mass, (*parts, inside))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("scale", [0.001, 0.01, 0.3, 50.0])
def test_masses_and_gradients_are_those_of_plain_formulas(dtype: torch.dtype, scale: float) -> None:
    loc, value = torch.randn(4, 3, 8, 8, dtype=torch.float64), levels(4, 3, 8, 8)
    results: list[tuple[Tensor, ...]] = []
    for work, form in ((logistic_log_mass, dtype), (plain_log_mass, torch.float64)):
        place, spread = (part.to(form).requires_grad_() for part in (loc, torch.full_like(loc, scale)))
        mass = work(place, spread, value.to(form))
        results.append((mass, *torch.autograd.grad(mass.sum(), [place, spread])))
    # A seventh digit of the distance to the centre counts 1 / scale in the mass, and 1 / scale^2 in its gradient.
    rtol, atol = (1e-5, 1e-5 + 3e-7 / scale**2) if dtype == torch.float32 else (1e-9, 1e-9)
    for by_hand, plain in zip(*results, strict=True):
        assert by_hand.dtype == dtype
        assert_close(by_hand.double(), plain, rtol=rtol, atol=atol)


def gradients(work: Callable[..., Tensor], parts: list[Tensor], *given: Tensor) -> tuple[Tensor, ...]:
    mass = work(*parts, *given)
    weights = torch.linspace(1, 2, mass.numel(), dtype=mass.dtype).reshape(mass.shape)
    return mass, *torch.autograd.grad((weights * mass).sum(), parts)


@pytest.mark.parametrize("in_cache", [1, 40, 2**16])
@pytest.mark.parametrize("leading", [(3,), (5, 3), (2, 1), ()])
def test_groups_of_images_and_leading_axes_change_nothing(
    monkeypatch: pytest.MonkeyPatch, in_cache: int, leading: tuple[int, ...]
) -> None:
    monkeypatch.setattr(logistic_mass, "IN_CACHE", in_cache)
    parts, value = mixture_parts(2, 3), levels(*leading, 3, 2, 2)
    for by_hand, plain in zip(
        gradients(mixture_log_mass, parts, value), gradients(plain_mixture, parts, value), strict=True
    ):
        assert_close(by_hand, plain)


def test_images_without_leading_axes_and_no_images() -> None:
    parts, value = mixture_parts(2, 3), levels(3, 2, 2)
    one = mixture_log_mass(*(part[0] for part in parts), value=value)
    assert_close(one, plain_mixture(*(part[0] for part in parts), value=value))
    assert mixture_log_mass(*(part[:0] for part in parts), value=levels(1, 3, 2, 2)[:0]).shape == (0, 2, 2)


def test_a_second_derivative_is_refused() -> None:
    parts, value = mixture_parts(2, 3), levels(3, 3, 2, 2)
    loc, scale = parts[1][:, 0], parts[2][:, 0]
    for mass in (mixture_log_mass(*parts, value=value), logistic_log_mass(loc, scale, value)):
        (slope,) = torch.autograd.grad(mass.sum(), parts[1], create_graph=True)
        with pytest.raises(RuntimeError, match="can be differentiated once, not twice"):
            torch.autograd.grad(slope.square().sum(), parts[1])


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own compiler does
def test_functional_and_compiled_gradients_are_the_same() -> None:
    output = torch.randn(3, 50, 2, 2, dtype=torch.float64, requires_grad=True)
    value = levels(3, 3, 2, 2)

    likelihood = LogisticMixture()

    def mass(output: Tensor, value: Tensor) -> Tensor:
        return likelihood(output).log_prob(value)

    (wanted,) = torch.autograd.grad(mass(output, value).sum(), output)
    with globals_kept():
        each = torch.func.vmap(torch.func.grad(lambda one, seen: mass(one[None], seen[None])[0]))(output, value)
        assert_close(each, wanted)
        compiled = torch.compile(mass, backend="aot_eager", fullgraph=True)(output, value)
        assert_close(torch.autograd.grad(compiled.sum(), output)[0], wanted)
