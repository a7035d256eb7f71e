"""What every test shares: no network, a cache of its own, no window, and a few small pictures."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Set before any import of the packages that read them. A test that needs the network is a broken test.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["MPLBACKEND"] = "Agg"
CACHE = Path(tempfile.mkdtemp(prefix="spatialvae-tests-"))
os.environ["SPATIALVAE_CACHE"] = str(CACHE)


def pytest_unconfigure() -> None:
    """Take away the cache that this run of the tests filled."""
    shutil.rmtree(CACHE, ignore_errors=True)


def smooth_images(count: int, channels: int = 3, height: int = 16, width: int = 16, seed: int = 0) -> np.ndarray:
    """Random smooth uint8 pictures [count, channels, height, width], no two alike.

    Each channel is a plane wave of its own direction, length and phase: neighbours resemble each other as in
    real pictures, so that even a tiny model has something to learn.
    """
    random = np.random.default_rng(seed)
    across, down, phase, middle = random.uniform(-1, 1, (4, count, channels, 1, 1))
    rows = np.linspace(-1, 1, height)[:, None]
    columns = np.linspace(-1, 1, width)[None, :]
    wave = np.sin(np.pi * (2 * across * columns + 2 * down * rows + phase))
    return np.clip(127.5 + 60 * middle + 60 * wave, 0, 255).astype(np.uint8)


def rounded(value: Any) -> Any:
    """JSON whose numbers equal others up to rounding: linear algebra gives the last digits by where memory lies."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its name within it: what a command that is refused leaves as it was."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def seed() -> None:
    """Every test starts from the same random numbers, in whatever order the tests run."""
    import torch

    torch.manual_seed(0)


@pytest.fixture
def tiny_images(tmp_path: Path) -> Path:
    """An .npz file with `images`: 80 smooth uint8 pictures [80, 3, 16, 16]."""
    path = tmp_path / "tiny.npz"
    np.savez(path, images=smooth_images(80))
    return path
