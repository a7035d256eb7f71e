"""All images of a folder, an .npz file or any other source, in its order and pixel for pixel."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from spatialvae.data.options import ImageOptions
from spatialvae.data.picture import BadImage, array_pixels, picture_pixels
from spatialvae.data.sources import open_source
from spatialvae.errors import UserError
from spatialvae.sizes import spell_shape

__all__ = ["read_image_set"]


def read_image_set(source: str, *, channels: int | None = None, layout: str = "auto") -> Tensor:
    """Every image of `source`, uint8 [N C H W], neither cropped nor resized nor split.

    For sets that are measured, such as another model's samples: a resize nobody asked for would change the numbers.
    `channels` turns grey to colour or back; None keeps what the first image has.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/grey.npy"
    >>> np.save(path, np.zeros((5, 8, 8), np.uint8))
    >>> read_image_set(path).shape
    torch.Size([5, 1, 8, 8])

    Raises:
        UserError: no such source, an image that cannot be read, images of different sizes.
    """
    options = ImageOptions(layout=layout)
    opened, _ = open_source(source, options)
    images: list[np.ndarray] = []
    for record in opened.records():
        try:
            content = record.read()
            decode = picture_pixels if isinstance(content, bytes) else array_pixels
            pixels = decode(content, options, channels)  # type: ignore[arg-type]
        except BadImage as reason:
            raise UserError(f"{record.name} cannot be used: {reason}.") from None
        if images and pixels.shape != images[0].shape:
            first, this = spell_shape(images[0].shape), spell_shape(pixels.shape)
            raise UserError(
                f"The images of '{source}' differ: one is {first}, {record.name} is {this}.\n"
                "One set is measured at one size: save all images with the same one."
            )
        images.append(pixels)
    if not images:
        raise UserError(f"'{source}' has no images.")
    return torch.from_numpy(np.stack(images))
