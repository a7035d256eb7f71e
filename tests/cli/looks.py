"""What the commands that draw have written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from spatialvae.picture_grid import GAP

__all__ = ["CELL", "arrays", "size"]

CELL = 32 + GAP  # 8x8 pictures are shown fourfold


def arrays(path: Path) -> np.ndarray:
    """The pictures of an .npz file."""
    with np.load(path, allow_pickle=False) as file:
        assert file.files == ["images"]
        return file["images"]


def size(path: Path) -> tuple[int, int]:
    """Of a picture, width and height."""
    with Image.open(path) as picture:
        return picture.size
