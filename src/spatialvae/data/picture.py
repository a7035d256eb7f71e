"""One picture file, as people have them, to one uint8 image [C, H, W]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from spatialvae.data.decode import PIXEL_LIMIT, PLAIN, BadImage, decode
from spatialvae.data.options import ImageOptions
from spatialvae.errors import UserError

__all__ = ["PIXEL_LIMIT", "BadImage", "Picture", "array_pixels", "picture_pixels", "read_picture"]

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Picture:
    """One image, uint8 [C, H, W]; whether its file has more frames; of 16 bits: the value that none was above."""

    pixels: npt.NDArray[np.uint8]
    frames: bool = False
    peak: int | None = None


def read_picture(content: bytes, options: ImageOptions, channels: int | None) -> Picture:
    """Decode, turn upright, crop and resize one encoded picture.

    The pixels are those of the file, bit for bit, when it has the wanted size already. `BadImage` tells why
    a picture cannot be used.
    """
    side = 2 * max(options.image_size) if options.image_size and not options.crop.isdigit() else None
    decoded = decode(content, side)
    pixels = _to_pixels(_fit(_convert(decoded.picture, channels), options))
    return Picture(pixels, decoded.frames, decoded.peak)


def picture_pixels(picture: Image.Image, options: ImageOptions, channels: int | None) -> npt.NDArray[np.uint8]:
    """The same for an open picture of Pillow, as it stands: uint8 [C, H, W]."""
    if picture.mode.startswith(("I", "F")):
        raise BadImage(f"pixels of Pillow's mode {picture.mode} have no fixed range; convert it to L or RGB")
    plain = picture if picture.mode in PLAIN else picture.convert("RGB")
    return _to_pixels(_fit(_convert(plain, channels), options))


def array_pixels(image: npt.NDArray[np.uint8], options: ImageOptions, channels: int | None) -> npt.NDArray[np.uint8]:
    """Crop and resize one raw image [C, H, W], and change its channels where asked: uint8 [C', H', W']."""
    if channels is not None and channels != len(image):
        if len(image) == 2:
            raise UserError(f"Images of 2 channels cannot become {channels}: leave the channels open.")
        last = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        image = _to_pixels(_convert(Image.fromarray(np.ascontiguousarray(last)), channels))
    if options.crop == "none" and options.image_size in (None, image.shape[1:]):
        return image
    # Channel by channel, because nothing says that the fourth of an array is alpha.
    planes = [_fit(Image.fromarray(np.ascontiguousarray(plane)), options) for plane in image]
    return np.stack([np.asarray(plane) for plane in planes])


def _convert(picture: Image.Image, channels: int | None) -> Image.Image:
    """To mode L, RGB or (only when asked) RGBA."""
    if channels == 2:
        raise UserError("Pictures have 1, 3 or 4 channels, not 2. Only arrays can have 2.")
    if channels == 4:
        return picture.convert("RGBA")
    grey = picture.mode in ("L", "LA", "1") or (picture.mode in ("P", "PA") and _has_grey_palette(picture))
    if picture.has_transparency_data:
        above = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above).convert("RGB")
        if grey:
            picture = picture.getchannel(0)  # its three channels are equal
    mode = MODES[channels] if channels else ("L" if grey else "RGB")
    return picture if picture.mode == mode else picture.convert(mode)


def _has_grey_palette(picture: Image.Image) -> bool:
    palette = picture.getpalette("RGB") or []
    return palette[0::3] == palette[1::3] == palette[2::3]


def _fit(picture: Image.Image, options: ImageOptions) -> Image.Image:
    picture = _crop(picture, options)
    if options.image_size is None:
        return picture
    height, width = options.image_size
    if picture.size == (width, height):
        return picture
    # Pillow widens the filter with the reduction, so that this is antialiased.
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _crop(picture: Image.Image, options: ImageOptions) -> Image.Image:
    width, height = picture.size
    if options.crop == "none":
        return picture
    if options.crop == "center":
        rows, columns = options.image_size or (1, 1)
        if width * rows >= height * columns:  # too wide for the aspect
            box = (max(1, round(height * columns / rows)), height)
        else:
            box = (width, max(1, round(width * rows / columns)))
    else:
        box = (int(options.crop), int(options.crop))
    if box[0] > width or box[1] > height:
        raise BadImage(f"{width}x{height} (width x height), smaller than the crop of {box[0]}x{box[1]}")
    left, top = (width - box[0]) // 2, (height - box[1]) // 2
    return picture.crop((left, top, left + box[0], top + box[1]))


def _to_pixels(picture: Image.Image) -> npt.NDArray[np.uint8]:
    pixels = np.asarray(picture, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
