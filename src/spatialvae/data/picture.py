"""One picture file, as people have them, to one uint8 image [C, H, W]."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from spatialvae.data.options import ImageOptions
from spatialvae.errors import UserError

__all__ = ["PIXEL_LIMIT", "BadImage", "array_pixels", "picture_pixels"]

PIXEL_LIMIT = 89_478_485  # a picture with more is refused: 256 MiB of colour; Pillow's own line as well
# Content decides, not the name; formats that run other programs or have no signature are left out.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class BadImage(Exception):
    """A picture that cannot be used; the message is the reason, in a few words."""


def picture_pixels(content: bytes, options: ImageOptions, channels: int | None) -> npt.NDArray[np.uint8]:
    """Decode, turn upright, crop and resize one encoded picture: uint8 [C, H, W].

    The pixels are those of the file, bit for bit, when it has the wanted size already. `BadImage` tells why
    a picture cannot be used.
    """
    if not content:
        raise BadImage("the file is empty (zero bytes)")
    try:
        return _to_pixels(_fit(_convert(_open(content, options), channels), options))
    except (BadImage, UserError):
        raise
    except UnidentifiedImageError:
        raise BadImage("not a picture in a known format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage(f"enormous, more than the limit of {PIXEL_LIMIT:,} pixels") from None
    except Exception as error:  # decoders of broken files raise almost anything
        raise BadImage(f"cannot be decoded: {_first_line(error)}") from None


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


def _open(content: bytes, options: ImageOptions) -> Image.Image:
    picture = Image.open(io.BytesIO(content), formats=FORMATS)
    width, height = picture.size
    if width * height > PIXEL_LIMIT:
        raise BadImage(f"enormous, {width}x{height} is more than the limit of {PIXEL_LIMIT:,} pixels")
    if options.image_size is not None and not options.crop.isdigit():
        # A large JPEG is decoded at 1/2, 1/4 or 1/8, never below twice the wanted size.
        side = 2 * max(options.image_size)
        picture.draft("", (side, side))
    picture.load()
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # broken metadata do not make a broken picture
        return picture


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def _convert(picture: Image.Image, channels: int | None) -> Image.Image:
    """To mode L, RGB or (only when asked) RGBA."""
    if channels == 2:
        raise UserError("Pictures have 1, 3 or 4 channels, not 2. Only arrays can have 2.")
    picture = _eight_bits(picture)
    if channels == 4:
        return picture.convert("RGBA")
    grey = picture.mode in ("L", "LA", "1")
    if picture.has_transparency_data:
        above = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above).convert("RGB")
        if grey:
            picture = picture.getchannel(0)  # its three channels are equal
    mode = MODES[channels] if channels else ("L" if grey else "RGB")
    return picture if picture.mode == mode else picture.convert(mode)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8 bits, 65535 to 255; Pillow's own conversion would clip it."""
    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.asarray(picture).astype(np.float64)
    if picture.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise BadImage("pixels of 32 bits have no fixed range; save the picture with 8 or 16 bits")
    return Image.fromarray(np.round(values / 257).astype(np.uint8))


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
