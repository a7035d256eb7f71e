"""Runs of a second: 100 smooth pictures of 8x8 in memory, a small model, steps of ten images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from spatialvae.config import TrainConfig
from spatialvae.data import ImageData
from spatialvae.model import SpatialVAE
from spatialvae.training import Run
from spatialvae.training.model_stage import ModelStage
from spatialvae.training.state import TrainingState, make_accelerator, start
from tests.conftest import smooth_images

TRAIN = 60


def tiny_data(fingerprint: str | None = None) -> ImageData:
    """60 training, 25 validation and 15 test images, grey, 8x8; of another fingerprint than their own if it is told."""
    images = smooth_images(100, channels=1, height=8, width=8)
    parts = {"train": images[:TRAIN], "validation": images[TRAIN:85], "test": images[85:]}
    data = ImageData.from_arrays(parts, name="tiny")
    return data if fingerprint is None else replace(data, fingerprint=fingerprint)


def settings(**changed: Any) -> TrainConfig:
    """Settings of a run of six steps with one checkpoint, in the number format that is bit-for-bit repeatable."""
    values: dict[str, Any] = {"data": None, "maps": 2, "images": 60, "batch_size": 10, "checkpoint_every": 1000}
    return TrainConfig.parse({**values, "precision": "fp32", **changed}, "tests")


def stage(**changed: Any) -> ModelStage:
    """What these settings train."""
    return ModelStage(settings(**changed), tiny_data())


def begin(folder: Path, **changed: Any) -> TrainingState[SpatialVAE]:
    """A run before its first step."""
    return start(stage(**changed), Run(folder), make_accelerator(settings(**changed).optimisation))


def weights(folder: Path) -> dict[str, Tensor]:
    """What `spatialvae.load` would read."""
    return load_file(folder / "model.safetensors")


def checkpoint(folder: Path) -> dict[str, Tensor]:
    """Every tensor of the newest checkpoint: weights, averages, moments."""
    newest = max((folder / "checkpoints").glob("[0-9]*"))
    return {
        f"{path.stem}.{name}": value
        for path in sorted(newest.glob("*.safetensors"))
        for name, value in load_file(path).items()
    }


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
