"""One model at several image sizes: with the conv head its weights depend on no size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from spatialvae.config import ModelConfig
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS
from spatialvae.model import SpatialVAE
from spatialvae.resized import at_size
from spatialvae.store import load, save_model
from tests.test_model import pictures


def conv(latent: str = "matrix-normal", size: int = 32, **options: object) -> SpatialVAE:
    values = {"latent": latent, "maps": 3, "image_size": (size, size), "channels": 1, "head": "conv", **options}
    return SpatialVAE.from_config(ModelConfig(**values)).eval()  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("latent", [name for name in LATENTS if name != "vector"])
@torch.no_grad()
def test_other_sizes_share_every_weight(latent: str) -> None:
    model = conv(latent)
    other = at_size(model, (48, 80))
    assert other.latent.event_shape == (3, 5, 9)
    images = pictures(2, 1, 48, 80)
    assert other.encode(images).event_shape == (3, 5, 9)
    assert torch.isfinite(other(images).bound).all()
    assert other.sample(2, seed=0).shape == other.reconstruct(images).shape == (2, 1, 48, 80)
    ours, theirs = dict(model.named_parameters()), dict(other.named_parameters())
    assert ours.keys() == theirs.keys()
    assert all(theirs[name] is weights for name, weights in ours.items())
    next(iter(model.decoder.parameters())).mul_(2)  # training one trains the other
    assert torch.equal(other.state_dict()["decoder.stem.0.0.weight"], model.state_dict()["decoder.stem.0.0.weight"])


@torch.no_grad()
def test_the_same_size_is_the_same_function() -> None:
    model, images = conv(), pictures(3, 1, 32, 32)
    state = torch.random.get_rng_state()
    other = at_size(model, (32, 32))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert_close(other.encode(images).mean, model.encode(images).mean)
    assert torch.equal(other.reconstruct(images), model.reconstruct(images))


def test_the_conv_heads_weights_do_not_grow_with_the_image() -> None:
    counts = [sum(p.numel() for p in conv(size=size, map_size="3").posterior.parameters()) for size in (32, 40)]
    assert counts[0] == counts[1]
    dense = [sum(p.numel() for p in conv(size=size, head="dense").posterior.parameters()) for size in (32, 40)]
    assert dense[0] < dense[1]


def test_sizes_that_the_decoder_does_not_make_are_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="no side of 50 pixels: the nearest is 48 or 56"):
        at_size(conv(), (50, 32))


def test_what_has_one_size_only_is_refused() -> None:
    for model, words in (
        (conv(head="dense"), "head conv"),
        (conv(prior="learned"), "prior standard"),
        (conv("vector"), "1x1"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            at_size(model, (48, 48))
        assert str(caught.value).count("\n") <= 1


def test_a_model_of_another_size_is_saved_and_loaded_like_itself(tmp_path: Path) -> None:
    model = at_size(conv(), (48, 48))
    save_model(tmp_path, model)
    again = load(tmp_path, like=at_size(conv(), (48, 48)))
    assert torch.equal(again.sample(2, seed=3), model.sample(2, seed=3))
    assert next(again.parameters()) is not next(model.parameters())
