"""One encoded picture to upright samples of 8 bits, or the reason why that is not sure."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from spatialvae.errors import UserError

__all__ = ["PIXEL_LIMIT", "PLAIN", "BadImage", "Decoded", "decode"]

PIXEL_LIMIT = 89_478_485  # a picture with more is refused: 256 MiB of colour; Pillow's own line as well
# Content decides, not the name; formats that run other programs or have no signature are left out.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PHOTOMETRIC, BITS, SAMPLE_FORMAT = 262, 258, 339  # tags of a TIFF
PLAIN = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
SAVE_AGAIN = "save the picture with 8 or 16 bits"


class BadImage(Exception):
    """A picture that cannot be used; the message is the reason, in a few words."""


@dataclass(frozen=True)
class Decoded:
    """A picture in a mode of `PLAIN`; whether it is the first of several frames; 16 bits: no value was above `peak`."""

    picture: Image.Image
    frames: bool
    peak: int | None


def decode(content: bytes, side: int | None) -> Decoded:
    """The picture that the bytes encode, turned upright; a large JPEG may come smaller, no smaller than `side`.

    `BadImage` tells why it cannot be used.
    """
    if not content:
        raise BadImage("the file is empty (zero bytes)")
    try:
        return _decode(content, side)
    except (BadImage, UserError):
        raise
    except UnidentifiedImageError:
        if content.startswith(TIFF_STARTS):
            raise BadImage("a TIFF that is damaged or of a kind that is not read; save the picture as PNG") from None
        raise BadImage("not a picture in a known format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage(f"enormous, more than the limit of {PIXEL_LIMIT:,} pixels") from None
    except Exception as error:  # decoders of broken files raise almost anything
        raise BadImage(f"cannot be decoded: {_first_line(error)}") from None


def _decode(content: bytes, side: int | None) -> Decoded:
    picture, inverted = _open(content)
    width, height = picture.size
    if width * height > PIXEL_LIMIT:
        raise BadImage(f"enormous, {width}x{height} is more than the limit of {PIXEL_LIMIT:,} pixels")
    tags = dict(getattr(picture, "tag_v2", {}))
    _check_numbers(picture, tags)
    frames = _has_frames(picture)
    if side is not None:
        picture.draft("", (side, side))  # a JPEG at 1/2, 1/4 or 1/8
    picture.load()
    kind = picture.format
    with suppress(Exception):  # broken metadata do not make a broken picture
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):
        picture, peak = _from_sixteen(picture, _first(tags.get(BITS, 16)), inverted or tags.get(PHOTOMETRIC) == 0)
        return Decoded(picture, frames, peak)
    if kind == "PNG":
        picture, deep = _as_the_header_says(picture, depth=content[24], colour=content[25])
    else:
        deep = picture.mode in ("RGB", "RGBA") and _first(tags.get(BITS, 8)) == 16
    peak = _peak_of_upper(picture) if deep else None
    if picture.mode not in PLAIN:  # La knows one way out, the others are colour
        picture = picture.convert("LA" if picture.mode == "La" else "RGB")
    return Decoded(picture, frames, peak)


def _open(content: bytes) -> tuple[Image.Image, bool]:
    """The picture, and whether to invert it: a big-endian one of 16 bits with white at zero is unknown to Pillow."""
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS), False
    except UnidentifiedImageError:
        white_is_zero = content.find(struct.pack(">HHIHH", PHOTOMETRIC, 3, 1, 0, 0)) if content[:4] == b"MM\0*" else -1
        if white_is_zero < 0:
            raise
        black_is_zero = struct.pack(">HHIHH", PHOTOMETRIC, 3, 1, 1, 0)
        relabelled = content[:white_is_zero] + black_is_zero + content[white_is_zero + len(black_is_zero) :]
        return Image.open(io.BytesIO(relabelled), formats=FORMATS), True


def _check_numbers(picture: Image.Image, tags: dict[int, Any]) -> None:
    """Only unsigned integers of up to 16 bits say what is black and what is white."""
    if picture.mode == "F" or _first(tags.get(BITS, 8)) == 32:
        raise BadImage(f"pixels of 32 bits have no fixed range; {SAVE_AGAIN}")
    if _first(tags.get(SAMPLE_FORMAT, 1)) == 2:
        raise BadImage(f"signed numbers have no fixed range; {SAVE_AGAIN}")


def _has_frames(picture: Image.Image) -> bool:
    """Whether there is more than this frame or page; what a camera adds to a JPEG (MPO) is no other picture."""
    try:
        return picture.format != "MPO" and bool(getattr(picture, "is_animated", False))
    except Exception:  # what follows the first frame is broken
        return True


def _first(value: Any) -> int:
    return value[0] if isinstance(value, tuple) else value


def _from_sixteen(picture: Image.Image, bits: int, inverted: bool) -> tuple[Image.Image, int]:
    """Grey of `bits` bits to L, or to LA where one value is transparent, and the largest value."""
    whole = (1 << bits) - 1
    values = np.asarray(picture).astype(np.float64)
    grey = Image.fromarray(np.round((whole - values if inverted else values) * (255 / whole)).astype(np.uint8))
    if "transparency" in picture.info:
        grey.putalpha(Image.fromarray(np.where(values == picture.info["transparency"], 0, 255).astype(np.uint8)))
    # A format that tells its bits, such as 12, is not in doubt.
    return grey, int(values.max()) if whole == 65535 else 65535


def _as_the_header_says(picture: Image.Image, depth: int, colour: int) -> tuple[Image.Image, bool]:
    """What Pillow leaves undone of a PNG; whether its samples had 16 bits, of which Pillow reads the upper 8."""
    if "transparency" in picture.info and colour == 0 and depth in (2, 4):
        picture.info["transparency"] *= 255 // ((1 << depth) - 1)  # the samples are scaled, that value is not
    if "transparency" in picture.info and colour == 2 and depth == 16:
        raise BadImage("one transparent colour of 16 bits cannot be told from others; save it with an alpha channel")
    if colour == 4 and picture.mode == "RGBA":
        picture = Image.merge("LA", (picture.getchannel(0), picture.getchannel(3)))
    return picture, depth == 16


def _peak_of_upper(picture: Image.Image) -> int:
    """The largest value of 16 bits with these upper 8, over all channels but alpha."""
    colours = len(picture.getbands()) - ("A" in picture.getbands())
    return (int(np.asarray(picture)[..., :colours].max()) << 8) | 255


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
