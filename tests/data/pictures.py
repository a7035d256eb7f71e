"""Small images, and files of them, for the tests of the data sources."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from spatialvae.data import ImageData, ImageOptions, prepare


def noise(count: int, channels: int = 3, height: int = 8, width: int = 8, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Images [count, channels, height, width] of random bytes, no two alike."""
    shape = (count, channels, height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def picture(image: npt.NDArray[np.uint8]) -> Image.Image:
    """A Pillow picture of one image [C, H, W]."""
    return Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))


def encoded(image: npt.NDArray[np.uint8] | Image.Image, kind: str = "PNG", **settings: Any) -> bytes:
    """The bytes of a picture file."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else picture(image)).save(buffer, kind, **settings)
    return buffer.getvalue()


def write_folder(folder: Path, images: npt.NDArray[np.uint8], first: int = 0) -> Path:
    """Write each image as a PNG named by its number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, first):
        (folder / f"{number:04}.png").write_bytes(encoded(image))
    return folder


def everything(data: ImageData) -> set[bytes]:
    """The images of all splits, as a set of their bytes."""
    return {image.tobytes() for split in data.splits.values() for image in split.images}


def members(data: ImageData, name: str) -> set[bytes]:
    """The images of one split, as a set of their bytes."""
    return {image.tobytes() for image in data.split(name).images}


def prepared(source: Path | str, cache: Path, **options: Any) -> ImageData:
    """`prepare` with options by name."""
    return prepare(str(source), ImageOptions(**options), cache=cache)
