"""Pictures as people have them."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache

import numpy as np
import pytest
from PIL import Image

from spatialvae.data import ImageOptions
from spatialvae.data.picture import BadImage, array_pixels, read_picture
from spatialvae.errors import UserError
from tests.data.pictures import encoded, noise, picture

PLAIN = ImageOptions()
COLOUR = noise(1)[0]
GREY = noise(1, 1)[0]


def test_pixels_are_bit_exact_without_resizing() -> None:
    for image in (COLOUR, GREY):
        for options in (
            PLAIN,
            ImageOptions(image_size=(8, 8)),
            ImageOptions(crop="center"),
            ImageOptions(crop="8"),
        ):
            for kind in ("PNG", "BMP", "TIFF", "PPM"):
                assert np.array_equal(read_picture(encoded(image, kind), options, None).pixels, image)
            assert np.array_equal(array_pixels(image, options, None), image)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_exif_rotation_is_applied(orientation: int, kind: str) -> None:
    upright = np.zeros((3, 16, 24), np.uint8)
    upright[0, :8, :12], upright[1, 8:, 12:] = 255, 255  # red top left, green bottom right
    # As a camera held that way stores it: the inverse of the turn that the orientation asks for.
    stored = {
        1: upright,
        2: upright[:, :, ::-1],
        3: upright[:, ::-1, ::-1],
        4: upright[:, ::-1],
        5: upright.transpose(0, 2, 1),
        6: np.rot90(upright, 1, (1, 2)),
        7: upright[:, ::-1, ::-1].transpose(0, 2, 1),
        8: np.rot90(upright, -1, (1, 2)),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    settings = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    pixels = read_picture(encoded(np.ascontiguousarray(stored), kind, exif=exif, **settings), PLAIN, None).pixels
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).max() <= 8


def test_palette_becomes_colour() -> None:
    paletted = picture(COLOUR).quantize(16)
    expected = np.asarray(paletted.convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(read_picture(encoded(paletted), PLAIN, None).pixels, expected)


def test_palette_with_transparency_lies_over_white() -> None:
    paletted = Image.new("P", (8, 8), 1)
    paletted.putpalette([10, 20, 30, 200, 100, 50])
    for transparency in (1, bytes([255, 0])):
        pixels = read_picture(encoded(paletted, transparency=transparency), PLAIN, None).pixels
        assert pixels.shape == (3, 8, 8)
        assert (pixels == 255).all()


def test_sixteen_bits_are_scaled() -> None:
    values = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    for kind in ("PNG", "TIFF"):
        pixels = read_picture(encoded(Image.fromarray(values), kind), PLAIN, None).pixels
        assert np.array_equal(pixels[0], np.round(values / 257).astype(np.uint8))
    wide = b"P5 8 8 65535\n" + values.astype(">u2").tobytes()
    assert np.array_equal(read_picture(wide, PLAIN, None).pixels[0], np.round(values / 257).astype(np.uint8))


def test_sixteen_bit_colour() -> None:
    values = np.linspace(0, 65535, 8 * 8 * 3).astype(">u2").reshape(8, 8, 3)
    rows = b"".join(b"\0" + row.tobytes() for row in values)

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    pixels = read_picture(png, PLAIN, None).pixels.transpose(1, 2, 0)
    assert np.abs(pixels - values.astype(float) / 257).max() <= 1


def test_cmyk() -> None:
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    pixels = read_picture(encoded(red, "JPEG", quality=95), PLAIN, None).pixels
    assert pixels.shape == (3, 8, 8)
    assert pixels[0].min() > 240 and pixels[1:].max() < 15


def test_alpha_lies_over_white() -> None:
    clear = Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    assert (read_picture(encoded(clear), PLAIN, None).pixels == 255).all()
    opaque = picture(COLOUR).convert("RGBA")
    assert np.array_equal(read_picture(encoded(opaque), PLAIN, None).pixels, COLOUR)
    half = read_picture(encoded(Image.new("LA", (8, 8), (0, 128))), PLAIN, None).pixels
    assert half.shape == (1, 8, 8) and abs(int(half[0, 0, 0]) - 127) <= 1
    assert read_picture(encoded(clear), PLAIN, 4).pixels[3].max() == 0


def test_one_bit_and_animated_first_frame() -> None:
    black_white = Image.fromarray(GREY[0] > 127)
    assert np.array_equal(read_picture(encoded(black_white), PLAIN, None).pixels[0], (GREY[0] > 127) * np.uint8(255))
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "PNG", "WEBP"):
        moving = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        pixels = read_picture(moving, PLAIN, None).pixels
        assert pixels[0].min() > 240 and pixels[2].max() < 15


def test_channels_on_request() -> None:
    assert read_picture(encoded(GREY), PLAIN, 3).pixels.shape == (3, 8, 8)
    assert read_picture(encoded(COLOUR), PLAIN, 1).pixels.shape == (1, 8, 8)
    assert np.array_equal(array_pixels(GREY, PLAIN, 3), np.repeat(GREY, 3, 0))
    assert array_pixels(COLOUR, PLAIN, 1).shape == (1, 8, 8)
    assert array_pixels(noise(1, 4)[0], PLAIN, 3).shape == (3, 8, 8)
    with pytest.raises(UserError, match="2"):
        read_picture(encoded(GREY), PLAIN, 2)
    with pytest.raises(UserError, match="2 channels"):
        array_pixels(noise(1, 2)[0], PLAIN, 3)


@cache
def broken() -> dict[str, tuple[bytes, str]]:
    large = encoded(noise(1, 3, 64, 64)[0])
    jpeg = encoded(noise(1, 3, 64, 64)[0], "JPEG")
    huge = Image.new("1", (20_000, 20_000))
    wide = Image.new("1", (10_000, 10_000))
    return {
        "zero bytes": (b"", "empty"),
        "text": (b"no picture at all", "not a picture"),
        "heic": (b"\0\0\0\x18ftypheic" + bytes(64), "not a picture"),
        "truncated png": (large[: len(large) // 2], "cannot be decoded"),
        "truncated jpeg": (jpeg[: len(jpeg) // 2], "cannot be decoded"),
        "header only": (large[:20], "cannot be decoded|not a picture"),
        "enormous": (encoded(huge), "enormous"),
        "very large": (encoded(wide), "enormous"),
        "float": (encoded(Image.new("F", (8, 8)), "TIFF"), "32 bits"),
        "32 bit": (encoded(Image.new("I", (8, 8), 70_000), "TIFF"), "32 bits"),
    }


BROKEN = [
    *("zero bytes", "text", "heic", "truncated png", "truncated jpeg", "header only"),
    *("enormous", "very large", "float", "32 bit"),
]


@pytest.mark.parametrize("kind", BROKEN)
def test_bad_pictures_have_a_reason(kind: str) -> None:
    content, reason = broken()[kind]
    with pytest.raises(BadImage, match=reason):
        read_picture(content, PLAIN, None)


def test_broken_metadata_do_not_spoil_a_picture() -> None:
    content = encoded(COLOUR, exif=b"Exif\0\0nonsense")
    assert np.array_equal(read_picture(content, PLAIN, None).pixels, COLOUR)


def test_crop_before_resize() -> None:
    wide = np.zeros((1, 16, 32), np.uint8)
    wide[:, :, 8:24] = 200  # exactly the centred square
    centred = read_picture(encoded(wide), ImageOptions(image_size=(8, 8), crop="center"), None).pixels
    assert (centred == 200).all()
    assert (read_picture(encoded(wide), ImageOptions(crop="center"), None).pixels == 200).all()
    assert read_picture(encoded(wide), ImageOptions(crop="12"), None).pixels.shape == (1, 12, 12)
    aspect = read_picture(encoded(wide), ImageOptions(image_size=(8, 16), crop="center"), None).pixels
    assert aspect.shape == (1, 8, 16) and aspect.min() == 0
    assert array_pixels(wide, ImageOptions(image_size=(8, 8), crop="center"), None).min() == 200
    with pytest.raises(BadImage, match=r"32x16.*smaller than the crop of 17x17"):
        read_picture(encoded(wide), ImageOptions(crop="17"), None)


def test_resize_is_antialiased() -> None:
    stripes = np.zeros((1, 64, 64), np.uint8)
    stripes[:, :, ::2] = 255  # every second column: without a wide enough filter this aliases to 0 or 255
    small = read_picture(encoded(stripes), ImageOptions(image_size=(8, 8)), None).pixels.astype(int)
    assert np.abs(small - 127).max() <= 8
    assert read_picture(encoded(stripes), ImageOptions(image_size=(8, 24)), None).pixels.shape == (1, 8, 24)


def test_large_jpeg_read_at_a_fraction_is_the_same_picture() -> None:
    ramp = np.linspace(0, 255, 800).astype(np.uint8)[None, None].repeat(600, 1).repeat(3, 0)
    content = encoded(np.ascontiguousarray(ramp), "JPEG", quality=95)
    small = read_picture(content, ImageOptions(image_size=(16, 16)), None).pixels
    whole = picture(np.asarray(Image.open(io.BytesIO(content))).transpose(2, 0, 1))
    expected = np.asarray(whole.resize((16, 16), Image.Resampling.LANCZOS)).transpose(2, 0, 1)
    assert np.abs(small.astype(int) - expected).max() <= 3
