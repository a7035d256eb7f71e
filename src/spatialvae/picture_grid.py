"""Pictures of pictures: many images in one PNG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from spatialvae.files import replacing

__all__ = ["as_png", "enlarged", "grid", "outlined", "pairs_grid", "save_picture"]

GAP = 2
SMALLEST = 32  # smaller images are enlarged by a whole factor, so that one sees their pixels
OUTLINE = (255, 120, 0)
OUTLINE_SHARE = 48  # the longer side of an image is so many outlines wide


def grid(images: Tensor, columns: int | None = None) -> Tensor:
    """Images [N C H W] laid out row by row on white: one uint8 picture [C' H' W'], C' 1 or 3.

    >>> grid(torch.zeros(6, 3, 32, 32, dtype=torch.uint8), columns=3).shape
    torch.Size([3, 70, 104])
    """
    images = enlarged(images)
    count, channels, height, width = images.shape
    columns = columns or max(1, math.ceil(math.sqrt(count)))
    rows = max(1, math.ceil(count / columns))
    canvas = torch.full((channels, rows * (height + GAP) + GAP, columns * (width + GAP) + GAP), 255, dtype=torch.uint8)
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + GAP) + GAP, (index % columns) * (width + GAP) + GAP
        canvas[:, top : top + height, left : left + width] = image
    return canvas


def enlarged(images: Tensor) -> Tensor:
    """Images [N C H W] as they are shown: C 1 or 3, small ones enlarged by a whole factor.

    >>> enlarged(torch.zeros(1, 2, 8, 8)).shape
    torch.Size([1, 1, 32, 32])
    """
    if images.shape[1] == 2 or images.shape[1] == 4:  # grey or colour with a fourth channel: the picture without it
        images = images[:, :1] if images.shape[1] == 2 else images[:, :3]
    factor = max(1, -(-SMALLEST // max(images.shape[-2:])))
    return images.repeat_interleave(factor, -1).repeat_interleave(factor, -2)


def outlined(images: Tensor, pixels: Tensor, which: Sequence[int]) -> Tensor:
    """Images as `enlarged` shows them, in colour, those numbered `which` with an orange line round some pixels.

    Args:
        images: uint8 [N C H W].
        pixels: what is outlined, bool [H, W]; the line runs inside.

    >>> pixels = torch.ones(8, 8, dtype=torch.bool)
    >>> outlined(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), pixels, [0])[:, :, 0, 0]
    tensor([[255, 120,   0],
            [  0,   0,   0]], dtype=torch.uint8)
    """
    shown = enlarged(images)
    shown = shown.expand(-1, 3, -1, -1).clone()
    factor = shown.shape[-1] // images.shape[-1]
    inside = pixels.repeat_interleave(factor, 0).repeat_interleave(factor, 1)
    wide = max(1, max(shown.shape[-2:]) // OUTLINE_SHARE)
    outside = torch.nn.functional.pad((~inside).float(), (wide,) * 4, value=1.0)
    near = torch.nn.functional.max_pool2d(outside[None, None], 2 * wide + 1, stride=1)[0, 0] > 0
    line = (inside & near).to(shown.device)
    for index in which:
        shown[index, :, line] = torch.tensor(OUTLINE, dtype=torch.uint8)[:, None]
    return shown


def pairs_grid(images: Tensor, others: Tensor, columns: int = 8) -> Tensor:
    """Rows of images, each row above the row of what became of them; uint8 [N C H W] twice -> one picture.

    >>> pairs_grid(torch.zeros(9, 1, 32, 32), torch.zeros(9, 1, 32, 32)).shape
    torch.Size([1, 138, 274])
    """
    columns = min(columns, len(images))
    missing = (-len(images)) % columns
    blank = images.new_full((missing, *images.shape[1:]), 255)
    above = torch.cat([images, blank]).unflatten(0, (-1, columns))
    below = torch.cat([others, blank]).unflatten(0, (-1, columns))
    return grid(torch.stack([above, below], dim=1).flatten(0, 2), columns)


def save_picture(picture: Tensor, path: Path) -> None:
    """One uint8 picture [C H W], C 1 or 3, as a PNG (or whatever the name's ending says), replaced in one step."""
    with replacing(path) as temporary:
        _image(picture).save(temporary, format=Image.registered_extensions().get(path.suffix.lower(), "PNG"))


def as_png(picture: Tensor) -> bytes:
    """One uint8 picture [C H W], C 1 or 3, as the bytes of a PNG file."""
    file = BytesIO()
    _image(picture).save(file, format="PNG")
    return file.getvalue()


def _image(picture: Tensor) -> Image.Image:
    array = picture.permute(1, 2, 0).numpy().astype(np.uint8)
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
