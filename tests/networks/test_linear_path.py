"""The linear path starts as the PCA of the images' patches, once, and stays with the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import spatialvae as sv
from spatialvae.config import ModelConfig, Optimisation
from spatialvae.likelihoods.gaussian import GaussianPixels
from spatialvae.model import SpatialVAE
from spatialvae.networks.linear_path import PathIn, PathOut, patch_pca, start_paths
from spatialvae.store import load, save_model
from spatialvae.training.model_stage import make_optimizer
from spatialvae.training.state import set_learning_rate
from tests.networks.test_residual import images, tiny

QUIET: dict[str, Any] = {"device": "cpu", "progress": False, "track": "none"}


def path_of(model: SpatialVAE) -> PathIn:
    path = model.encoder.path
    assert isinstance(path, PathIn)
    return path


def smooth(count: int, channels: int = 1, side: int = 8, seed: int = 0) -> Tensor:
    """Images whose neighbouring pixels are alike, uint8."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, channels, side // 2, side // 2, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    return ((fine + 0.2 * torch.randn(fine.shape, generator=generator)) * 40 + 128).clamp(0, 255).to(torch.uint8)


def by_numpy(given: Tensor, patch: int, numbers: int) -> tuple[np.ndarray, np.ndarray]:
    """The images that PCA of the patches keeps of `given`, floats, and the patches' whitened numbers [B n h w]."""
    x = given.double().numpy() / 127.5 - 1
    b, c, h, w = x.shape
    blocks = x.reshape(b, c, h // patch, patch, w // patch, patch).transpose(0, 2, 4, 1, 3, 5)
    flat = blocks.reshape(-1, c * patch**2)
    mean = flat.mean(0)
    values, vectors = np.linalg.eigh(np.cov(flat.T, bias=True))
    kept = vectors[:, ::-1][:, :numbers]
    coordinates = (flat - mean) @ kept
    back = (coordinates @ kept.T + mean).reshape(blocks.shape).transpose(0, 3, 1, 4, 2, 5).reshape(x.shape)
    whitened = coordinates / np.sqrt(values[::-1][:numbers])
    return back, whitened.reshape(b, h // patch, w // patch, -1).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("latent", ["naive", "matrix-normal", "tensor-normal"])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_untrained_model_is_a_pca(channels: int, latent: str) -> None:
    given = smooth(40, channels)
    model = tiny((channels, 8, 8), latent=latent, maps=2, map_size="4").double().eval()
    model.start_from(given)
    expected, codes = by_numpy(given, 2, 2)
    with torch.no_grad():
        mean = model.encode(given).mean
        decoded = model.decode(mean).mean
    np.testing.assert_allclose(mean.abs().numpy(), np.abs(codes), atol=1e-5)  # a direction has no sign
    np.testing.assert_allclose(decoded.numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(mean.numpy().transpose(1, 0, 2, 3).reshape(2, -1).std(1), 1, atol=1e-5)


@pytest.mark.parametrize("map_size", ["1", "2", "8"])
def test_any_map_size_starts_as_the_pca(map_size: str) -> None:
    given, numbers = smooth(40), {"1": 32, "2": 8, "8": 1}[map_size]
    side = int(map_size)
    network = "residual:width=8,depth=1,down=1"
    model = tiny(network=network, latent="naive", maps=numbers, map_size=map_size).double().eval()
    model.start_from(given)
    expected, _ = by_numpy(given, 2, -(-numbers * side**2 // 16))
    with torch.no_grad():
        np.testing.assert_allclose(model.decode(model.encode(given).mean).mean.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("latent", ["naive", "vector", "matrix-normal", "tensor-normal"])
def test_the_posterior_starts_as_wide_as_probabilistic_pca_says(latent: str) -> None:
    given = smooth(40)
    code: dict[str, object] = (
        {"latent": "vector:maps=32"} if latent == "vector" else {"latent": latent, "maps": 2, "map_size": "4"}
    )
    model = tiny((1, 8, 8), "residual:width=8,depth=1,down=1", **code).double().eval()
    model.posterior.projection.requires_grad_(False)
    for name, layer in model.posterior.projection.convolutions.items():
        if name != "loc":
            layer.weight.zero_()  # the head's weights start near zero, not at it
    model.start_from(given)
    x = (given.double() / 127.5 - 1).reshape(40, 4, 2, 4, 2).permute(0, 1, 3, 2, 4).reshape(-1, 4)
    values = torch.linalg.eigvalsh(torch.cov(x.T, correction=0)).flip(0)
    noise = values[2:].mean()
    expected = (noise / (noise + values[:2])).sqrt()
    widths = model.encode(given).stddev.reshape(40, 2, -1)
    assert_close(widths, expected[None, :, None].expand_as(widths), rtol=1e-5, atol=0)
    pixels = model.decode(model.encode(given).mean)
    assert isinstance(pixels, GaussianPixels)
    assert_close(pixels.scale, noise.sqrt(), rtol=1e-5, atol=0)


@pytest.mark.parametrize(("latent", "head"), [("low-rank", "conv"), ("naive", "dense")])
def test_a_mean_that_is_no_code_yet_has_wide_scales(latent: str, head: str) -> None:
    given = smooth(40)
    options: dict[str, object] = {"latent": latent, "head": head, "maps": 2, "map_size": "4"}
    model = tiny((1, 8, 8), "residual:width=8,depth=1,down=1", **options).double().eval()
    model.start_from(given)
    with torch.no_grad():
        posterior = model.encode(given)
        pixels = model.decode(posterior.mean)
    assert isinstance(pixels, GaussianPixels)
    assert 0.7 < posterior.stddev.mean() < 1.3
    error = (pixels.mean - (given.double() / 127.5 - 1)).square().mean().sqrt()
    assert_close(pixels.scale, error, rtol=1e-4, atol=0)


def test_only_outputs_that_shift_a_mean_start_as_the_pca() -> None:
    given = smooth(30, 2).double() / 127.5 - 1
    into, out = PathIn(2, 2, 3).double(), PathOut(3, 2, 4).double()
    start_paths(into, out, given, (None, 1, 0, 1))
    back = out(into(given))
    expected, _ = by_numpy(smooth(30, 2), 2, 3)
    assert not back[:, 0].any()
    for place, channel in ((1, 1), (2, 0), (3, 1)):
        np.testing.assert_allclose(back[:, place].detach().numpy(), expected[:, channel], atol=1e-5)


def test_directions_that_do_not_vary_stay_at_zero() -> None:
    flat = torch.full((5, 1, 4, 4), 0.25)
    flat[0] = 0.5
    pca = patch_pca(flat, 2, 4)
    assert pca.variances.shape == (1,)
    into, out = PathIn(1, 2, 4), PathOut(4, 2, 1)
    start_paths(into, out, flat, (0,))
    assert_close(out(into(flat)), flat)
    start_paths(PathIn(1, 2, 2), PathOut(2, 2, 1), torch.zeros(3, 1, 4, 4), (0,))  # nothing varies at all


def test_training_fits_once_and_a_stored_model_keeps_what_it_has(tmp_path: Path) -> None:
    config = ModelConfig(network="residual:width=8,depth=1", latent="naive", image_size=(8, 8), channels=1)
    run = sv.train(config, smooth(60).numpy(), tmp_path / "run", epochs=1, batch_size=20, **QUIET)
    assert path_of(run.model).is_fitted
    again = load(tmp_path / "run")
    assert path_of(again).is_fitted
    before = again.state_dict()["encoder.path.linear.weight"].clone()
    again.start_from(images(20, (1, 8, 8)))
    assert torch.equal(again.state_dict()["encoder.path.linear.weight"], before)
    saved = {name: value.clone() for name, value in again.state_dict().items()}
    save_model(tmp_path, again)
    assert all(torch.equal(value, saved[name]) for name, value in load(tmp_path).state_dict().items())


def test_a_model_made_of_objects_is_fitted_by_train(tmp_path: Path) -> None:
    model = SpatialVAE(
        latent=sv.latents.Naive(4, 4, 4), image_shape=(1, 8, 8), networks=sv.networks.ResidualNetworks(width=8, depth=1)
    )
    assert not path_of(model).is_fitted
    assert torch.isfinite(model(smooth(4)).bound).all()
    sv.train(model, smooth(60).numpy(), tmp_path / "run", epochs=1, batch_size=20, **QUIET)
    assert path_of(model).is_fitted


def test_a_run_that_was_stopped_goes_on_bit_for_bit(tmp_path: Path) -> None:
    def trained(out: Path, callbacks: Sequence[sv.Callback] = ()) -> dict[str, Tensor]:
        run = sv.train(
            "naive",
            smooth(60).numpy(),
            out,
            epochs=2,
            callbacks=callbacks,
            network="residual:width=8,depth=1",
            batch_size=20,
            checkpoint_every=20,
            checkpointing=True,
            **QUIET,
        )
        return run.model.state_dict()

    class Stop(sv.Callback):
        def on_validation(self, event: object) -> None:
            raise KeyboardInterrupt

    whole = trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "parts", callbacks=[Stop()])
    parts = trained(tmp_path / "parts")
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())


def test_the_first_step_keeps_what_the_paths_start_with() -> None:
    """At the default learning rate a step of Adam moves weights of the paths by a tenth of what it moves the others."""
    model, pixels = tiny(latent="naive"), smooth(200)
    model.start_from(pixels)
    optimizer = make_optimizer(model, Optimisation(), fused=False)
    assert {group["factor"]: len(group["params"]) for group in optimizer.param_groups}.keys() == {1.0, 0.1, 10.0}
    set_learning_rate(optimizer, 1e-3)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    (-model(pixels[:16]).bound.mean()).backward()
    optimizer.step()
    moved = {
        name: float((parameter - before[name]).detach().abs().max()) for name, parameter in model.named_parameters()
    }
    paths = {name for name in moved if ".path." in name}
    assert len(paths) == 4 and all(moved[name] <= 1.01e-4 for name in paths)
    assert moved["posterior.projection.convolutions.loc.weight"] > 9e-4
