"""The importance-weighted bound against a model whose log p(x) is known, for every distribution of the codes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from spatialvae.latents import LATENTS, parse_latent
from spatialvae.metrics import importance_weighted_bound
from spatialvae.metrics.likelihood.importance import two_bounds
from tests.metrics.linear_gaussian import SHAPE, LinearGaussian

SPECS = [*LATENTS, "low-rank:rank=2"]


def toy(spec: str) -> Any:
    """The stand-in for a model with one latent of four numbers."""
    grid = (4, 1, 1) if spec == "vector" else (1, 2, 2)
    return LinearGaussian(parse_latent("vector:maps=4" if spec == "vector" else spec, grid))


def picture() -> Tensor:
    return torch.rand(1, *SHAPE, dtype=torch.float64) * 1.6 - 0.8


def mean_and_error(values: Tensor) -> tuple[float, float]:
    return values.mean().item(), (values.std() / len(values) ** 0.5).item()


@pytest.mark.parametrize("spec", SPECS)
def test_one_sample_has_the_elbos_expectation(spec: str) -> None:
    model, image = toy(spec), picture()
    value, error = mean_and_error(importance_weighted_bound(model, image.expand(8000, *SHAPE), 1))
    assert abs(value - model.bound(image).item()) < 4.5 * error


@pytest.mark.parametrize("spec", SPECS)
def test_it_never_falls_with_more_samples_and_comes_to_the_exact_value(spec: str) -> None:
    model, image = toy(spec), picture()
    exact = model.log_likelihood(image).item()
    before, before_error = model.bound(image).item(), 0.0
    for samples, repeats in ((1, 2000), (4, 2000), (32, 500), (400, 100)):
        values = importance_weighted_bound(model, image.expand(repeats, *SHAPE), samples)
        value, error = mean_and_error(values)
        assert value > before - 4.5 * (error + before_error)
        assert value < exact + 4.5 * error
        before, before_error = value, error
    assert importance_weighted_bound(model, image, 40_000).item() == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("samples", [100, 4000])  # all images in one part, and each in its own
def test_every_image_has_its_own_value_in_order(samples: int) -> None:
    model = toy("matrix-normal")
    images = torch.rand(5, *SHAPE, dtype=torch.float64) * 1.6 - 0.8
    draws = [importance_weighted_bound(model, images, samples) for _ in range(4000 // samples)]
    result = torch.stack(draws).mean(0)
    assert result.shape == (5,)
    assert (result - model.log_likelihood(images)).abs().max() < 0.15
    assert model.log_likelihood(images).std() > 0.2  # else their order would not show


@pytest.mark.parametrize(("images", "samples"), [(3, 1200), (200, 7), (7, 64), (2, 500), (1, 501), (900, 1), (1, 1)])
def test_it_decodes_at_most_500_codes_at_a_time(images: int, samples: int) -> None:
    model = toy("low-rank")
    result = importance_weighted_bound(model, picture().expand(images, *SHAPE), samples)
    assert result.shape == (images,)
    assert max(model.decoded) <= 500
    assert sum(model.decoded) == images * samples  # no draw is left out, none is made twice


def test_chunks_of_unequal_size_are_weighted_alike() -> None:
    # 750 draws come as 500 + 250: their mean, not the mean of the two means.
    model, image = toy("naive"), picture()
    values = importance_weighted_bound(model, image.expand(200, *SHAPE), 750)
    value, error = mean_and_error(values)
    assert abs(value - model.log_likelihood(image).item()) < 4.5 * error + 0.01


def test_uint8_images_are_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_default_dtype", lambda: torch.float64)
    model = toy("naive")
    image = torch.randint(0, 256, (1, *SHAPE), dtype=torch.uint8)
    torch.manual_seed(1)
    whole = importance_weighted_bound(model, image, 5)
    torch.manual_seed(1)
    assert torch.equal(whole, importance_weighted_bound(model, image.double() / 127.5 - 1, 5))


@pytest.mark.parametrize("spec", SPECS)
def test_the_looser_bound_is_the_elbo_and_never_above_the_tighter(spec: str) -> None:
    model = toy(spec)
    images = torch.rand(6, *SHAPE, dtype=torch.float64) * 1.6 - 0.8
    tight, loose = two_bounds(model, images, 4000)
    elbo = model.bound(images)
    assert (tight >= loose).all()
    values = torch.stack([two_bounds(model, images, 50)[1] for _ in range(200)])
    assert ((values.mean(0) - elbo).abs() < 4.5 * values.std(0) / 200**0.5).all()
    assert ((loose - elbo).abs() < 4.5 * values.std(0) * (50 / 4000) ** 0.5).all()
    for samples in (1, 2, 7):  # few draws are far off, and never in the wrong order
        tight, loose = two_bounds(model, images, samples)
        assert (tight >= loose - 1e-12).all()


def test_no_graph_is_kept() -> None:
    assert not importance_weighted_bound(toy("vector"), picture().requires_grad_(), 3).requires_grad
