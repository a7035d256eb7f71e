"""What a user can ask of a data set's pixels: size, crop, layout, channels, and leave to skip bad ones."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace

from spatialvae.errors import UserError, nearest
from spatialvae.sizes import parse_size

__all__ = ["DEFAULTS", "MINIMUM_SIDE", "ImageOptions", "parse_image_size"]

MINIMUM_SIDE = 8  # below this the networks have no room for a latent map
MAXIMUM_SIDE = 8192
LAYOUTS = ("auto", "nchw", "nhwc")


@dataclass(frozen=True)
class ImageOptions:
    """Everything that changes the pixels or the splits of a prepared data set; part of its fingerprint.

    - `image_size`: (height, width) in pixels; None keeps the size that all images of the source share.
    - `crop`: "none", "center" (the largest centred rectangle of the target's aspect, a square without
      `image_size`) or a number such as "148" (the centred square of that many pixels); before resizing.
    - `layout`: axis order of arrays, "auto", "nchw" or "nhwc".
    - `skip_bad_images`: leave unreadable pictures out instead of stopping.
    - `channels`: 1 to 4; None keeps grey at 1 and colour at 3 (alpha lies over white; a mixture becomes 3).

    Raises `UserError` for a value outside these.

    >>> ImageOptions(image_size=(64, 64), crop="148").crop
    '148'
    """

    image_size: tuple[int, int] | None = None
    crop: str = "none"
    layout: str = "auto"
    skip_bad_images: bool = False
    channels: int | None = None

    def __post_init__(self) -> None:
        if self.image_size is not None and (len(self.image_size) != 2 or min(self.image_size) < MINIMUM_SIDE):
            sides = "x".join(str(side) for side in self.image_size)
            raise UserError(f"Image size {sides} is too small: both sides must be {MINIMUM_SIDE} pixels or more.")
        if self.crop not in ("none", "center") and not re.fullmatch(r"[1-9]\d*", self.crop):
            raise UserError(
                f"Crop '{self.crop}' is not known. {nearest(self.crop, ['none', 'center'])} "
                "A number of pixels such as 148 works too."
            )
        if self.layout not in LAYOUTS:
            raise UserError(f"Layout '{self.layout}' is not known. {nearest(self.layout, LAYOUTS)}")
        if self.channels is not None and not 1 <= self.channels <= 4:
            raise UserError(f"{self.channels} channels: an image has 1 to 4 channels.")

    def completed_by(self, implied: ImageOptions) -> ImageOptions:
        """These options, with the others where these are at their defaults.

        >>> ImageOptions(crop="center").completed_by(ImageOptions(image_size=(64, 64), crop="148"))
        ImageOptions(image_size=(64, 64), crop='center', layout='auto', skip_bad_images=False, channels=None)
        """
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(implied, **{name: value for name, value in given.items() if value != getattr(DEFAULTS, name)})


DEFAULTS = ImageOptions()


def parse_image_size(text: str) -> tuple[int, int]:
    """(height, width) in pixels from "64" (a square) or "64x48" (height x width); `UserError` otherwise.

    >>> parse_image_size("64"), parse_image_size("64x48")
    ((64, 64), (64, 48))
    """
    size = parse_size(text, "image_size", example=(64, 48))
    if min(size) < MINIMUM_SIDE:
        raise UserError(f"Image size '{text}' is too small: both sides must be {MINIMUM_SIDE} pixels or more.")
    if max(size) > MAXIMUM_SIDE:
        raise UserError(f"Image size '{text}' is too large: both sides must be {MAXIMUM_SIDE:,} pixels or fewer.")
    return size
