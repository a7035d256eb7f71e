"""All images of a folder, an .npz file or any other source, in its order and pixel for pixel; the files' names."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from spatialvae.data.dataset import ImageData
from spatialvae.data.notes import Seen, notes_of
from spatialvae.data.options import ImageOptions
from spatialvae.data.picture import BadImage
from spatialvae.data.sources import open_source
from spatialvae.data.sources.folder import FolderSource
from spatialvae.data.sources.source import AbstractSource
from spatialvae.errors import UserError
from spatialvae.sizes import spell_shape

__all__ = ["ImageSet", "picture_names", "read_image_set"]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """`images` uint8 [N C H W], and the names of their files within the folder; None for what is no folder.

    `notes` say what a user should know of them, a sentence each: files that were passed over, frames left out.
    """

    images: Tensor
    names: list[str] | None
    notes: list[str] = field(default_factory=list)


def read_image_set(source: str, *, channels: int | None = None, layout: str = "auto") -> ImageSet:
    """Every image of `source`, neither cropped nor resized nor split.

    For sets that are measured, such as another model's samples: a resize nobody asked for would change the numbers.
    `channels` turns grey to colour or back; None keeps what the first image has.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/grey.npy"
    >>> np.save(path, np.zeros((5, 8, 8), np.uint8))
    >>> read_image_set(path).images.shape
    torch.Size([5, 1, 8, 8])

    Raises:
        UserError: no such source, an image that cannot be read, images of different sizes.
    """
    options = ImageOptions(layout=layout)
    opened, _ = open_source(source, options)
    images: list[np.ndarray] = []
    seen = Seen()
    for record in opened.records():
        try:
            picture = record.picture(options, channels)
        except BadImage as reason:
            raise UserError(f"{record.name} cannot be used: {reason}.") from None
        seen.add(picture)
        pixels = picture.pixels
        if images and pixels.shape != images[0].shape:
            first, this = spell_shape(images[0].shape), spell_shape(pixels.shape)
            raise UserError(
                f"The images of '{source}' differ: one is {first}, {record.name} is {this}.\n"
                "One set is measured at one size: save all images with the same one."
            )
        images.append(pixels)
    if not images:
        raise UserError(f"'{source}' has no images.")
    notes = notes_of(opened.passed_over, 0, {}, seen)
    return ImageSet(torch.from_numpy(np.stack(images)), _names(opened), notes)


def picture_names(data: ImageData, split: str) -> list[str] | None:
    """The names of a split's pictures within the folder that they come from, in the split's order; None for others."""
    rows = data.split(split).rows
    if data.source is None or rows is None:
        return None
    opened, _ = open_source(data.source, data.options)
    names = _names(opened)
    return None if names is None else [names[row] for row in rows]


def _names(source: AbstractSource) -> list[str] | None:
    """Of a folder of pictures; rows of other sources have no names that another set could share."""
    return [record.name for record in source.records()] if isinstance(source, FolderSource) else None
