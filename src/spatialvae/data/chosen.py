"""A few pictures that a user names, prepared as a data set's are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spatialvae.data.options import ImageOptions
from spatialvae.data.picture import BadImage, picture_pixels
from spatialvae.data.sources.folder import looks_like_picture
from spatialvae.errors import UserError

__all__ = ["read_pictures"]


def read_pictures(paths: Sequence[Path], options: ImageOptions, channels: int) -> tuple[Tensor, list[str]]:
    """Pictures from files, and from folders the picture files in them: uint8 [N C H W], and their names.

    Each is prepared by `options`, which give an image size, as the pictures of a data set are.

    Raises:
        UserError: a path that does not exist, a folder without pictures, a picture that cannot be read.
    """
    files = [file for path in paths for file in _files(path)]
    pixels = []
    for file in files:
        try:
            pixels.append(picture_pixels(file.read_bytes(), options, channels))
        except (BadImage, OSError) as reason:
            raise UserError(f"{file} cannot be used: {reason}.") from None
    return torch.from_numpy(np.stack(pixels)), [str(file) for file in files]


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.is_file() and looks_like_picture(file))
        if not found:
            raise UserError(f"{path} holds no pictures: give picture files, or a folder with some in it.")
        return found
    if not path.is_file():
        raise UserError(f"{path} does not exist: give a picture file, or a folder of pictures.")
    return [path]
