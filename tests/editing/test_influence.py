"""Influence against known linear networks and the whole Jacobian of a real model."""

from __future__ import annotations

import pytest
import torch
from torch.autograd.functional import jacobian

from spatialvae.config import ModelConfig
from spatialvae.data.pixels import to_float
from spatialvae.editing.correlation import SiteCorrelations
from spatialvae.editing.influence import influence, inside_share, radius, reads, writes
from spatialvae.editing.influence_picture import influence_picture
from spatialvae.model import SpatialVAE
from spatialvae.runtime.evaluating import evaluating
from tests.editing.models import pictures, small

CODE, IMAGE = (3, 2, 2), (2, 4, 5)


def linear() -> torch.Tensor:
    """A map from codes to images, or back by its transpose, [C, H, W, maps, h, w]."""
    return torch.randn(*IMAGE, *CODE, dtype=torch.float64)


@pytest.mark.parametrize("images", [1, 3])
def test_a_linear_decoder_and_encoder(images: int) -> None:
    weight = linear()
    expected = weight.square().sum((0, 3)).sqrt().permute(2, 3, 0, 1)
    codes = torch.randn(images, *CODE, dtype=torch.float64)
    result = writes(lambda z: torch.einsum("chwkij,bkij->bchw", weight, z), codes)
    torch.testing.assert_close(result, expected)
    pixels = torch.randn(images, *IMAGE, dtype=torch.float64)
    result = reads(lambda x: torch.einsum("chwkij,bchw->bkij", weight, x), pixels)
    torch.testing.assert_close(result, expected)


def test_random_signs_are_unbiased_for_squares() -> None:
    weight, codes = linear(), torch.zeros(2, *CODE, dtype=torch.float64)
    expected = weight.square().sum((0, 3)).permute(2, 3, 0, 1)
    result = writes(lambda z: torch.einsum("chwkij,bkij->bchw", weight, z), codes, probes=4000).square()
    assert ((result - expected).abs() / expected).max() < 0.1
    pixels = torch.zeros(2, *IMAGE, dtype=torch.float64)
    result = reads(lambda x: torch.einsum("chwkij,bchw->bkij", weight, x), pixels, probes=4000).square()
    assert ((result - expected).abs() / expected).max() < 0.1


@pytest.mark.parametrize("latent", ["low-rank", "tensor-normal"])
def test_the_whole_jacobian_of_a_model(latent: str) -> None:
    model, images = small(latent).double(), pictures(4)
    result = influence(model, images)
    floats = to_float(images).double()
    code = model.encode(floats).mean.detach()
    written = [jacobian(lambda z: model.decode(z[None]).mean[0], each) for each in code]  # [C H W maps h w]
    squares = torch.stack([part.square().sum((0, 3)).permute(2, 3, 0, 1) for part in written])  # pyright: ignore
    torch.testing.assert_close(result.writes, squares.mean(0).sqrt())
    read = [jacobian(lambda x: model.encode(x[None]).mean[0], each) for each in floats]  # [maps h w C H W]
    squares = torch.stack([part.square().sum((0, 3)) for part in read])  # pyright: ignore
    torch.testing.assert_close(result.reads, squares.mean(0).sqrt())
    assert (result.images, result.probes) == (4, None)


def test_pictures_made_pixel_by_pixel() -> None:
    model = SpatialVAE.from_config(
        ModelConfig(latent="naive", maps=1, map_size="2", image_size=(8, 8), channels=1, likelihood="pixelcnn:layers=1")
    ).double()
    with torch.no_grad():  # an untrained causal network adds nothing
        for weights in model.likelihood.parameters():
            weights.add_(0.3 * torch.randn_like(weights))
    images, step = pictures(1), 1e-5
    result = influence(model, images)
    with torch.no_grad(), evaluating(model):
        code = model.encode(images).mean
        moves = step * torch.eye(4, dtype=torch.float64).reshape(4, 1, 2, 2)
        change = (model.decode(code + moves).mean - model.decode(code - moves).mean) / (2 * step)
    torch.testing.assert_close(result.writes.flatten(0, 1), change[:, 0].abs(), atol=1e-7, rtol=1e-4)


def test_many_maps_take_random_signs() -> None:
    model, images = small("naive", maps=40), pictures(2)
    rough, again = influence(model, images, probes=64), influence(model, images, probes=64)
    assert rough.probes == 64
    assert torch.equal(rough.writes, again.writes)
    floats = to_float(images)
    exact = reads(lambda x: model.encode(x).mean, floats)
    assert ((rough.reads - exact) / exact.mean()).abs().mean() < 0.15
    assert not any(parameter.grad is not None for parameter in model.parameters())


def test_the_mode_and_the_random_numbers_stay() -> None:
    model, images = small().train(), pictures(1)
    state = torch.random.get_rng_state()
    result = influence(model, images)
    assert model.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(result.writes, influence(model.eval(), images).writes)


def test_shares_and_radii() -> None:
    own = torch.zeros(2, 2, 4, 4)
    own[0, 0, 0, 0], own[0, 1, 0, 3], own[1, 0, 0, 0], own[1, 1] = 1, 2, 3, 1
    torch.testing.assert_close(inside_share(own), torch.tensor([[1.0, 1.0], [0.0, 0.25]]))
    torch.testing.assert_close(radius(own), torch.tensor([[0.0, 0.0], [0.0, 2.5**0.5]]))
    assert torch.isfinite(inside_share(torch.zeros(1, 2, 4, 4))).all()
    assert torch.isfinite(radius(torch.zeros(1, 2, 4, 4))).all()


@pytest.mark.parametrize("map_size", ["3", "1x2", "8"])
def test_the_picture(map_size: str) -> None:
    model = small(map_size=map_size)
    sites = model.latent.height * model.latent.width
    identity = torch.eye(sites, dtype=torch.float64)
    picture = influence_picture(
        influence(model, pictures(1)), SiteCorrelations(identity, -identity, 0 * identity), "gaussian"
    )
    assert picture.dtype == torch.uint8
    assert picture.shape[0] == 3
    assert picture.shape[2] < 1300
    assert len(picture.flatten(1).unique(dim=1).T) > 10
