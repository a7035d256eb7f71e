"""The run folder: what it says of its data, and that a command which is refused changes nothing in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spatialvae.config import TrainConfig
from spatialvae.data import ImageOptions, prepare
from spatialvae.data.record import DataRecord
from spatialvae.errors import UserError
from spatialvae.training import Run, train
from tests.conftest import contents, smooth_images
from tests.training.tiny import settings, tiny_data


def test_a_run_says_what_it_was_really_trained_on(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", images=smooth_images(60, 3, 12, 12))
    data = prepare(str(tmp_path / "mine.npz"), ImageOptions((8, 8), "10", channels=1))
    asked = settings(images=20)
    train(asked, data, tmp_path / "run", progress=False)
    written, record = TrainConfig.read(tmp_path / "run" / "config.yaml"), Run(tmp_path / "run").record()
    assert record == DataRecord.of(data)
    stored = {"data": str(tmp_path / "mine.npz"), "image_size": "8x8", "crop": "10", "channels": 1}
    stored |= {"network": "paper:stem=matched", "head": "dense", "likelihood": "gaussian"}  # of the network
    assert written == asked.replaced(**stored)


def test_arrays_in_memory_are_recorded_as_such(tmp_path: Path) -> None:
    values = {"maps": 2, "images": 20, "batch_size": 10, "precision": "fp32"}  # whose default is digits
    train(TrainConfig.parse(values, "tests"), tiny_data(), tmp_path, progress=False)
    record = Run(tmp_path).record()
    assert record is not None and (record.source, record.name) == (None, "tiny")
    assert record.images == {"train": 60, "validation": 25, "test": 15}
    assert TrainConfig.read(tmp_path / "config.yaml").data.data is None


REFUSED: dict[str, dict[str, Any]] = {
    "other images": {"images": 400, "fingerprint": "0b"},
    "other settings": {"beta": 2.0, "images": 400},
    "a shorter run": {"images": 20},
    "no such latent": {"latent": "lowrank"},
    "fp16 on a CPU": {"precision": "fp16"},
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_changes_no_byte(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    out = tmp_path / "run"
    train(settings(), tiny_data(), out, progress=False)
    before, changed = contents(out), dict(REFUSED[what])
    data = tiny_data(changed.pop("fingerprint", None))
    with pytest.raises(UserError):
        train(settings(**changed), data, out, progress=False)
    assert contents(out) == before


def test_a_run_of_the_old_default_latent_says_how_it_goes_on(tmp_path: Path) -> None:
    train(settings(latent="low-rank"), tiny_data(), tmp_path, progress=False)
    with pytest.raises(UserError) as caught:
        train(settings(), tiny_data(), tmp_path, progress=False)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("is a run with other settings: latent was low-rank, now tensor-normal.")
    assert lines[1:] == [
        "No latent was given, and the default, low-rank in earlier versions, is tensor-normal: this run goes on with "
        "latent low-rank."
    ]
    with pytest.raises(UserError, match="give the settings of before"):
        train(settings(latent="naive"), tiny_data(), tmp_path, progress=False)


def test_a_damaged_checkpoint_changes_no_byte(tmp_path: Path) -> None:
    train(settings(), tiny_data(), tmp_path, progress=False)
    newest = sorted((tmp_path / "checkpoints").iterdir())[-1]
    (newest / "optimizer.safetensors").write_bytes(b"no tensors")
    before = contents(tmp_path)
    with pytest.raises(UserError, match="is damaged"):
        train(settings(images=120), tiny_data(), tmp_path, progress=False)
    assert contents(tmp_path) == before


def test_a_model_without_checkpoints_is_not_trained_over_on_other_images(tmp_path: Path) -> None:
    train(settings(), tiny_data(), tmp_path, progress=False)
    for file in (tmp_path / "checkpoints").rglob("*"):
        if file.is_file():
            file.unlink()
    before = contents(tmp_path)
    with pytest.raises(UserError, match="was trained on other images than these"):
        train(settings(), tiny_data("0b"), tmp_path, progress=False)
    assert contents(tmp_path) == before


def test_both_data_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", smooth_images(60, 1, 8, 8))
    train(settings(), prepare("digits"), tmp_path / "run", progress=False)
    with pytest.raises(UserError) as caught:
        train(settings(), prepare(str(tmp_path / "mine.npy")), tmp_path / "run", progress=False)
    assert f"than these: digits, not {tmp_path / 'mine.npy'}.\n" in str(caught.value)
    with pytest.raises(UserError, match="arrays in memory"):
        train(settings(), tiny_data(), tmp_path / "run", progress=False)
