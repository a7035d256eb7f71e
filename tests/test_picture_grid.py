"""Many images in one picture: each in its place, nothing cut off, nothing left over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from spatialvae.picture_grid import GAP, grid, outlined, pairs_grid, save_picture


def flat(values: list[int], channels: int = 3, height: int = 32, width: int = 40) -> Tensor:
    """One image of each grey value."""
    levels = torch.tensor(values, dtype=torch.uint8)
    return levels[:, None, None, None].expand(-1, channels, height, width).clone()


def cell(picture: Tensor, row: int, column: int, height: int = 32, width: int = 40) -> Tensor:
    top, left = row * (height + GAP) + GAP, column * (width + GAP) + GAP
    return picture[:, top : top + height, left : left + width]


def test_row_by_row_on_white() -> None:
    picture = grid(flat([1, 2, 3, 4, 5]), columns=3)
    assert picture.shape == (3, 2 * 32 + 3 * GAP, 3 * 40 + 4 * GAP)
    assert picture.dtype == torch.uint8
    for index in range(5):
        assert (cell(picture, index // 3, index % 3) == index + 1).all()
    assert (cell(picture, 1, 2) == 255).all()
    inside = sum(int((picture == value).sum()) for value in range(1, 6))
    assert inside == 5 * 3 * 32 * 40
    assert (picture[:, :GAP] == 255).all() and (picture[:, :, -GAP:] == 255).all()


def test_pixels_are_the_images_own() -> None:
    images = torch.randint(0, 256, (2, 1, 32, 40), dtype=torch.uint8)
    picture = grid(images, columns=2)
    assert torch.equal(cell(picture, 0, 1), images[1])


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (4, 2, 2), (5, 2, 3), (64, 8, 8)])
def test_a_square_by_default(count: int, rows: int, columns: int) -> None:
    picture = grid(torch.zeros(count, 1, 32, 32, dtype=torch.uint8))
    assert picture.shape == (1, rows * 34 + 2, columns * 34 + 2)


def test_more_columns_than_images() -> None:
    assert grid(flat([1, 2]), columns=5).shape == (3, 36, 5 * 42 + 2)


@pytest.mark.parametrize(("side", "shown"), [(8, 32), (9, 36), (28, 56), (31, 62), (32, 32), (64, 64)])
def test_small_images_are_enlarged_by_a_whole_factor(side: int, shown: int) -> None:
    images = torch.randint(0, 256, (1, 1, side, side), dtype=torch.uint8)
    picture = grid(images)
    assert picture.shape == (1, shown + 2 * GAP, shown + 2 * GAP)
    factor = shown // side
    assert torch.equal(picture[:, GAP:-GAP:factor, GAP:-GAP:factor][:, :side, :side], images[0])


@pytest.mark.parametrize(("channels", "shown"), [(1, 1), (2, 1), (3, 3), (4, 3)])
def test_a_channel_that_cannot_be_shown_is_left_out(channels: int, shown: int) -> None:
    images = torch.randint(0, 256, (1, channels, 32, 32), dtype=torch.uint8)
    assert torch.equal(grid(images)[:, GAP:-GAP, GAP:-GAP], images[0, :shown])


def test_pairs_stand_above_each_other() -> None:
    above, below = flat([10, 11, 12]), flat([20, 21, 22])
    picture = pairs_grid(above, below, columns=2)
    assert picture.shape == (3, 4 * 34 + 2, 2 * 42 + 2)
    values = [[int(cell(picture, row, column).unique()) for column in (0, 1)] for row in range(4)]
    assert values == [[10, 11], [20, 21], [12, 255], [22, 255]]


def test_a_single_pair() -> None:
    picture = pairs_grid(flat([10]), flat([20]))
    assert picture.shape == (3, 2 * 34 + 2, 42 + 2)
    assert [int(cell(picture, row, 0).unique()) for row in (0, 1)] == [10, 20]


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_png_holds_the_pixels_themselves(tmp_path: Path, channels: int, mode: str) -> None:
    picture = torch.randint(0, 256, (channels, 9, 14), dtype=torch.uint8)
    path = tmp_path / "deep" / "picture.png"
    save_picture(picture, path)
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("PNG", mode, (14, 9))
        pixels = np.asarray(image).reshape(9, 14, channels)
    assert np.array_equal(pixels, picture.permute(1, 2, 0).numpy())
    assert [file.name for file in path.parent.iterdir()] == ["picture.png"]


@pytest.mark.parametrize(("name", "format"), [("a.jpg", "JPEG"), ("a.WEBP", "WEBP"), ("a", "PNG")])
def test_the_name_says_the_format(tmp_path: Path, name: str, format: str) -> None:
    save_picture(torch.zeros(3, 8, 8, dtype=torch.uint8), tmp_path / name)
    with Image.open(tmp_path / name) as image:
        assert image.format == format


def test_an_outline_runs_inside_the_region() -> None:
    pixels = torch.zeros(8, 8, dtype=torch.bool)
    pixels[2:5, 1:8] = True
    images = torch.full((3, 1, 8, 8), 7, dtype=torch.uint8)
    shown = outlined(images, pixels, [0, 2])
    assert shown.shape == (3, 3, 32, 32)
    assert (shown[1] == 7).all()
    line = (shown[0] != 7).any(0)
    inside = pixels.repeat_interleave(4, 0).repeat_interleave(4, 1)
    assert not (line & ~inside).any()
    assert line[8, 4:32].all() and line[19, 4:32].all() and line[8:20, 4].all() and line[8:20, 31].all()
    assert int(line.sum()) == 2 * (12 + 28) - 4
    assert torch.equal(shown[2], shown[0])
    assert (images == 7).all()


def test_an_outline_of_everything_and_on_colour() -> None:
    images = torch.zeros(1, 4, 64, 96, dtype=torch.uint8)
    shown = outlined(images, torch.ones(64, 96, dtype=torch.bool), [0])
    assert shown.shape == (1, 3, 64, 96)
    assert (shown[0, 0, :2] == 255).all() and (shown[0, :, 2:-2, 2:-2] == 0).all()
