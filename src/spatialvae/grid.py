"""Pictures of pictures: many images in one PNG."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from spatialvae.store import replacing

__all__ = ["grid", "pairs_grid", "save_picture"]

GAP = 2
SMALLEST = 32  # smaller images are enlarged by a whole factor, so that one sees their pixels


def grid(images: Tensor, columns: int | None = None) -> Tensor:
    """Images [N C H W] laid out row by row on white: one uint8 picture [C' H' W'], C' 1 or 3.

    >>> grid(torch.zeros(6, 3, 32, 32, dtype=torch.uint8), columns=3).shape
    torch.Size([3, 70, 104])
    """
    if images.shape[1] == 2 or images.shape[1] == 4:  # grey or colour with a fourth channel: the picture without it
        images = images[:, :1] if images.shape[1] == 2 else images[:, :3]
    factor = max(1, -(-SMALLEST // max(images.shape[-2:])))
    images = images.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    count, channels, height, width = images.shape
    columns = columns or max(1, math.ceil(math.sqrt(count)))
    rows = max(1, math.ceil(count / columns))
    canvas = torch.full((channels, rows * (height + GAP) + GAP, columns * (width + GAP) + GAP), 255, dtype=torch.uint8)
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + GAP) + GAP, (index % columns) * (width + GAP) + GAP
        canvas[:, top : top + height, left : left + width] = image
    return canvas


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
    array = picture.permute(1, 2, 0).numpy().astype(np.uint8)
    image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    with replacing(path) as temporary:
        image.save(temporary, format=Image.registered_extensions().get(path.suffix.lower(), "PNG"))
