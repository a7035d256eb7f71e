"""Number formats of pictures: the right pixels, or the reason why they are not sure."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from spatialvae.data import ImageOptions
from spatialvae.data.picture import BadImage, read_picture
from tests.data.formats import png, tiff
from tests.data.pictures import encoded, noise, picture

PLAIN = ImageOptions()
RAMP = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(8, 8)
SMALL = (np.arange(64) * 4).reshape(8, 8)


def read(content: bytes) -> np.ndarray:
    return read_picture(content, PLAIN, None).pixels


def eight(values: np.ndarray) -> np.ndarray:
    return np.round(values.astype(np.float64) / 257).astype(np.uint8)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compressed", [False, True])
def test_sixteen_bits_of_both_orders_and_both_whites(order: str, compressed: bool) -> None:
    values = RAMP.astype(f"{order}u2")
    assert np.array_equal(read(tiff(values, 1, compressed=compressed))[0], eight(RAMP))
    assert np.array_equal(read(tiff(values, 0, compressed=compressed))[0], eight(65535 - RAMP))
    small = read_picture(tiff(values, 0, compressed=compressed), ImageOptions(crop="4"), None).pixels
    assert np.array_equal(small[0], eight(65535 - RAMP)[2:6, 2:6])


@pytest.mark.parametrize("order", "<>")
def test_eight_bits_with_white_at_zero(order: str) -> None:
    values = SMALL.astype(f"{order}u1")
    assert np.array_equal(read(tiff(values, 0))[0], 255 - SMALL)
    assert np.array_equal(read(tiff(values, 1))[0], SMALL)


def test_twelve_bits_that_say_so_are_of_4095() -> None:
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 65
    assert np.array_equal(read(tiff(values, bits=12))[0], np.round(values * (255 / 4095)).astype(np.uint8))
    assert read_picture(tiff(values, bits=12), PLAIN, None).peak == 65535  # nothing to warn of


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("white", [0, 1])
@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "u4", "f4", "f2", "f8"])
def test_numbers_without_a_range_are_refused(order: str, white: int, kind: str) -> None:
    with pytest.raises(BadImage, match=r"no fixed range.*8 or 16 bits|of a kind that is not read.*PNG"):
        read(tiff(SMALL.clip(0, 127).astype(order + kind), white))


@pytest.mark.parametrize("kind", ["i2", "i4", "u4"])
def test_whole_numbers_up_to_255_do_not_become_black(kind: str) -> None:
    with pytest.raises(BadImage, match="no fixed range"):
        read(tiff(SMALL.astype(kind)))


@pytest.mark.parametrize("order", "<>")
def test_sixteen_bits_of_colour(order: str) -> None:
    colour = np.stack([RAMP, RAMP[::-1], RAMP.T], 2).astype(f"{order}u2")
    assert np.array_equal(read(tiff(colour, 2)).transpose(1, 2, 0), colour >> 8)  # the upper 8 bits, as Pillow reads it


def test_the_largest_value_is_told() -> None:
    assert read_picture(tiff(RAMP // 16), PLAIN, None).peak == 4095
    assert read_picture(tiff(np.stack([RAMP // 16] * 3, 2), 2), PLAIN, None).peak == 4095
    assert read_picture(png(RAMP // 16, 16, 0), PLAIN, None).peak == 4095
    assert read_picture(png(np.stack([RAMP // 16, np.full_like(RAMP, 65535)], 2), 16, 4), PLAIN, None).peak == 4095
    assert read_picture(encoded(noise(1, 1)[0]), PLAIN, None).peak is None


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_one_transparent_grey_value_lies_over_white(depth: int) -> None:
    values = np.arange(64).reshape(8, 8) * 1021 % (1 << depth)
    expected = np.round(values * (255 / ((1 << depth) - 1))).astype(np.uint8)
    chosen = int(values[2, 2])
    assert chosen < (1 << depth) - 1  # no white one, which could not be told from clear
    pixels = read(png(values, depth, 0, (chosen,)))
    assert np.array_equal(pixels[0], np.where(values == chosen, 255, expected))
    assert np.array_equal(read_picture(png(values, depth, 0, (chosen,)), PLAIN, 4).pixels[3] == 0, values == chosen)
    assert np.array_equal(read(png(values, depth, 0))[0], expected)


def test_one_transparent_colour() -> None:
    colour = noise(1)[0].transpose(1, 2, 0)
    chosen = tuple(int(value) for value in colour[2, 3])
    expected = np.where((colour == colour[2, 3]).all(2, keepdims=True), 255, colour)
    assert np.array_equal(read(png(colour, 8, 2, chosen)).transpose(1, 2, 0), expected)
    with pytest.raises(BadImage, match="16 bits cannot be told"):
        read(png(colour * np.uint16(257), 16, 2, (1, 2, 3)))


def test_grey_stays_one_channel() -> None:
    alpha = np.full_like(RAMP, 65535)
    assert np.array_equal(read(png(np.stack([RAMP, alpha], 2), 16, 4))[0], RAMP >> 8)
    half = read(png(np.stack([np.zeros_like(RAMP), alpha // 2], 2), 16, 4))
    assert half.shape == (1, 8, 8) and abs(int(half[0, 0, 0]) - 128) <= 1
    grey = noise(1, 1)[0]
    paletted = picture(grey).convert("P")  # its palette is a grey ramp
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        assert np.array_equal(read(encoded(paletted, kind)), grey)
    assert read(encoded(paletted.convert("PA"), "TIFF")).shape == (1, 8, 8)
    clear = read(encoded(paletted, transparency=int(grey[0, 0, 0])))
    assert np.array_equal(clear, np.where(grey == grey[0, 0, 0], 255, grey))


def test_premultiplied_grey() -> None:
    premultiplied = Image.new("LA", (8, 8), (100, 128)).convert("La")
    buffer = io.BytesIO()
    Image.frombytes("LA", (8, 8), premultiplied.tobytes()).save(buffer, "TIFF")
    straight, associated = (struct.pack("<HHIH", 338, 3, 1, kind) for kind in (2, 1))  # the tag ExtraSamples
    assert straight in buffer.getvalue()
    pixels = read(buffer.getvalue().replace(straight, associated))
    assert pixels.shape == (1, 8, 8) and abs(int(pixels[0, 0, 0]) - 177) <= 2  # 100 * 0.5 + 255 * 0.5


WRITTEN = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B"),
    "TIFF": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I;16B"),
    "BMP": ("1", "L", "P", "RGB"),
    "GIF": ("1", "L", "P"),
    "PPM": ("1", "L", "RGB", "I;16"),
    "JPEG2000": ("L", "LA", "RGB", "RGBA", "I;16"),
}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind, modes in WRITTEN.items() for mode in modes])
def test_what_pillow_writes_without_loss(kind: str, mode: str) -> None:
    colour = picture(noise(1)[0])
    if mode.startswith("I"):
        order = ">" if mode.endswith("B") else "<"
        made, expected = Image.frombytes(mode, (8, 8), RAMP.astype(f"{order}u2").tobytes()), eight(RAMP)[None]
    else:
        made = colour.convert("P").convert("PA") if mode == "PA" else colour.convert(mode)
        grey = mode in ("1", "L", "LA")
        pixels = np.asarray(made.convert("L" if grey else "RGB"))
        expected = pixels[None] if grey else pixels.transpose(2, 0, 1)
    assert np.array_equal(read(encoded(made, kind)), expected)


def test_lab_is_converted_as_colour_management_does() -> None:
    made = Image.frombytes("LAB", (8, 8), noise(1)[0].tobytes())
    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    expected = ImageCms.applyTransform(made, ImageCms.buildTransform(*profiles, "LAB", "RGB"))
    assert expected is not None
    assert np.array_equal(read(encoded(made, "TIFF")).transpose(1, 2, 0), np.asarray(expected))


def test_further_frames_are_told() -> None:
    frames = [picture(image) for image in noise(2)]
    for kind in ("GIF", "PNG", "WEBP", "TIFF"):
        assert read_picture(encoded(frames[0], kind, save_all=True, append_images=frames[1:]), PLAIN, None).frames
        assert not read_picture(encoded(frames[0], kind), PLAIN, None).frames
    assert not read_picture(encoded(frames[0], "MPO", save_all=True, append_images=frames[1:]), PLAIN, None).frames
