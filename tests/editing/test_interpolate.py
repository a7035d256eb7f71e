"""Straight lines between codes: their ends are what they join, their middle is the mean code's picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spatialvae.config import ModelConfig
from spatialvae.data.pixels import to_uint8
from spatialvae.editing.interpolate import between_draws, between_pictures
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS
from spatialvae.model import SpatialVAE
from tests.priors.gaussians import gaussian


def small(latent: str = "low-rank") -> SpatialVAE:
    """A model whose pictures differ, with a fitted prior far from the standard one."""
    model = SpatialVAE(ModelConfig(latent=latent, maps=2, image_size=(8, 8), channels=1)).eval()
    with torch.no_grad():
        for buffer in model.buffers():
            if buffer.is_floating_point():
                buffer.mul_(0.3)
    shape = model.latent.event_shape
    model.priors["gaussian"] = gaussian(3 * torch.ones(shape), 0.1 * torch.eye(model.latent.numbers))
    return model


def pictures() -> Tensor:
    return torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)


def near(one: Tensor, other: Tensor) -> bool:
    """Equal up to the rounding of another batch size."""
    return one.shape == other.shape and int((one.int() - other.int()).abs().max()) <= 1


@pytest.mark.parametrize("latent", list(LATENTS))
def test_a_path_between_pictures(latent: str) -> None:
    model, images = small(latent), pictures()
    path = between_pictures(model, images, 5)
    assert (path.shape, path.dtype) == ((5, 1, 8, 8), torch.uint8)
    assert near(path[[0, -1]], model.reconstruct(images))
    with torch.no_grad():
        first, last = model.encode(images).mean
        quarter = to_uint8(model.decode((0.75 * first + 0.25 * last)[None]).mean)
    assert near(path[1:2], quarter)


def test_two_steps_are_the_ends() -> None:
    model, images = small(), pictures()
    assert near(between_pictures(model, images, 2), model.reconstruct(images))


@pytest.mark.parametrize("prior", ["standard", "gaussian"])
def test_paths_between_draws(prior: str) -> None:
    model = small()
    state = torch.random.get_rng_state()
    paths = between_draws(model, 3, 4, seed=1, prior=prior)
    assert paths.shape == (12, 1, 8, 8)
    assert torch.equal(paths, between_draws(model, 3, 4, seed=1, prior=prior))
    assert not torch.equal(paths, between_draws(model, 3, 4, seed=2, prior=prior))
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        ends = model.prior(prior).sample(torch.Size([6]))
    with torch.no_grad():
        decoded = to_uint8(model.decode(ends).mean)
    assert near(paths[[0, 4, 8]], decoded[:3])  # path after path: each starts at its own draw
    assert near(paths[[3, 7, 11]], decoded[3:])


def test_the_priors_differ() -> None:
    model = small()
    assert not near(*(between_draws(model, 2, 2, seed=1, prior=prior) for prior in ("standard", "gaussian")))


def test_training_mode_makes_no_difference_and_stays() -> None:
    model, images = small(), pictures()
    calm = between_pictures(model, images, 3), between_draws(model, 1, 3, seed=0, prior="standard")
    model.train()
    assert torch.equal(between_pictures(model, images, 3), calm[0])
    assert torch.equal(between_draws(model, 1, 3, seed=0, prior="standard"), calm[1])
    assert model.training


def test_an_unknown_prior() -> None:
    with pytest.raises(UserError, match=r"no prior 'gaussan'\. Did you mean 'gaussian'\?"):
        between_draws(small(), 1, 2, seed=0, prior="gaussan")
