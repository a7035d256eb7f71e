"""One small trained run that the commands are tried on, and pictures to give them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.program import spatialvae
from tests.conftest import smooth_images

SETTINGS = ("--maps", 2, "--batch-size", 20, "--precision", "fp32")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is made once."""
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="session")
def images(shared: Path) -> Path:
    """120 grey pictures of 8x8 in an .npz file."""
    path = shared / "images.npz"
    np.savez(path, images=smooth_images(120, channels=1, height=8, width=8))
    return path


@pytest.fixture(scope="session")
def run(shared: Path, images: Path) -> Path:
    """A run that is finished, with its prior; not to be changed."""
    out = shared / "run"
    done = spatialvae("train", "--data", images, "--images", 100, *SETTINGS, "--out", out, "--json")
    assert done.json["images"] == 100
    return out


@pytest.fixture(scope="session")
def vector_run(shared: Path, images: Path) -> Path:
    """A run whose latent is a vector, not to be changed."""
    out = shared / "vector"
    line = ("train", "--data", images, "--images", 20, "--latent", "vector", *SETTINGS, "--out", out)
    assert spatialvae(*line).code == 0
    return out


@pytest.fixture
def own_run(run: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be changed."""
    return Path(shutil.copytree(run, tmp_path / "own"))


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Three pictures of different sizes and kinds."""
    paths = []
    for name, (channels, height, width) in {"a.png": (1, 8, 8), "b.jpg": (3, 20, 14), "c.png": (3, 9, 30)}.items():
        array = smooth_images(1, channels, height, width, seed=width)[0].transpose(1, 2, 0)
        paths.append(tmp_path / "pictures" / name)
        paths[-1].parent.mkdir(exist_ok=True)
        Image.fromarray(array[:, :, 0] if channels == 1 else array).save(paths[-1])
    return paths
