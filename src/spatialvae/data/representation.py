"""Prepared images in a line, and as a grid of pictures in a notebook."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from html import escape
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from spatialvae.data.subset import subset

__all__ = ["as_html", "shape_words"]

SHOWN = 16
COLOURS = {1: "grey", 3: "colour"}


class Pictures(Protocol):
    """Images that can be drawn, such as a split."""

    def __len__(self) -> int: ...

    def take(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Those of these indices, uint8 [n C H W]."""
        ...


def shape_words(height: int, width: int, channels: int) -> str:
    """The size of images in words.

    >>> shape_words(8, 8, 1), shape_words(64, 48, 4)
    ('8x8 grey', '64x48 with 4 channels')
    """
    size = f"{height}x{width}"
    return f"{size} {COLOURS[channels]}" if channels in COLOURS else f"{size} with {channels} channels"


def as_html(text: str, splits: Mapping[str, Pictures]) -> str:
    """Images of each split, drawn with a fixed seed, below a line of text."""
    from spatialvae.picture_grid import as_png, grid

    parts = [f"<pre>{escape(text)}</pre>"]
    for name, split in splits.items():
        images = torch.from_numpy(np.ascontiguousarray(split.take(subset(len(split), SHOWN))))
        png = b64encode(as_png(grid(images, columns=8))).decode()
        caption = f"{len(images)} of {len(split):,} {escape(name)} images"
        parts.append(f'<figure><img alt="{caption}" src="data:image/png;base64,{png}"><figcaption>{caption}</figure>')
    return "".join(parts)
