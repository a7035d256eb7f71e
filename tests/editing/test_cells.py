"""The grammar of cells, and the pixels that cells stand over."""

from __future__ import annotations

import pytest
import torch

from spatialvae.editing.cells import check_region, parse_cells, parse_numbers, pixels_of
from spatialvae.errors import UserError


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("0:2,1:3", {(0, 1), (0, 2), (1, 1), (1, 2)}),
        ("1,2", {(1, 2)}),
        (":,0", {(0, 0), (1, 0), (2, 0)}),
        ("2,:", {(2, 0), (2, 1), (2, 2), (2, 3)}),
        ("1:,:2", {(1, 0), (1, 1), (2, 0), (2, 1)}),
        ("0,0+2,3", {(0, 0), (2, 3)}),
        ("0,0:2+0,1:3", {(0, 0), (0, 1), (0, 2)}),
        (" 1 , 2 ", {(1, 2)}),
    ],
)
def test_cells(text: str, cells: set[tuple[int, int]]) -> None:
    result = parse_cells(text, (3, 4))
    assert (result.dtype, result.shape) == (torch.bool, (3, 4))
    assert {(i, j) for i, j in result.nonzero().tolist()} == cells


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0:2", ["cells 0:2", "ROWS,COLUMNS"]),
        ("", ["ROWS,COLUMNS"]),
        ("1,2,3", ["ROWS,COLUMNS"]),
        ("0,0+", ["ROWS,COLUMNS"]),
        ("a,0", ["'a'", "rows"]),
        ("0,-1", ["'-1'", "columns"]),
        ("0:9,1", ["rows 0:9 lie outside", "maps are 3x4", "rows go from 0 to 2", "nearest 0:3"]),
        ("3,1", ["rows 3 lie outside", "nearest 2"]),
        ("0,7:9", ["columns 7:9 lie outside", "columns go from 0 to 3", "nearest 3"]),
        ("0,9:", ["columns 9: lie outside", "nearest 3"]),
        ("2:2,0", ["2:2 holds no rows", "nearest 2"]),
        ("0,3:1", ["3:1 holds no columns"]),
        ("0,0:0", ["0:0 holds no columns", "nearest 0"]),
    ],
)
def test_what_is_no_cell(text: str, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        parse_cells(text, (3, 4))
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_vector_has_no_cells() -> None:
    with pytest.raises(UserError, match="a vector, maps of 1x1"):
        parse_cells("0,0", (1, 1))
    assert parse_cells("0,1", (1, 2)).any()


def test_numbers() -> None:
    assert parse_numbers("0:2+1+5", 8, "map", "maps") == [0, 1, 5]
    with pytest.raises(UserError, match="map 8: maps 8 lie outside; maps go from 0 to 7, nearest 7"):
        parse_numbers("8", 8, "map", "maps")


def test_masks() -> None:
    good = torch.ones(3, 4, dtype=torch.bool)
    check_region(good, (3, 4))
    for wrong, words in (
        (good.T, r"bool \[4, 3\]: a mask of these maps is bool \[3, 4\]"),
        (good.float(), r"float32 \[3, 4\]"),
        (~good, "holds no cell"),
    ):
        with pytest.raises(UserError, match=words):
            check_region(wrong, (3, 4))


@pytest.mark.parametrize("size", [(6, 8), (7, 9), (32, 32), (3, 4)])
def test_blocks_of_pixels_are_a_partition(size: tuple[int, int]) -> None:
    cells = torch.eye(12, dtype=torch.bool).reshape(12, 3, 4)
    blocks = torch.stack([pixels_of(cell, size) for cell in cells])
    assert (blocks.sum(0) == 1).all()
    for cell, block in zip(cells, blocks, strict=True):
        [[row, column]] = cell.nonzero().tolist()
        rows, columns = block.any(1).nonzero().flatten().double(), block.any(0).nonzero().flatten().double()
        assert abs((rows.mean() + 0.5) / size[0] * 3 - (row + 0.5)) < 3 / size[0]
        assert abs((columns.mean() + 0.5) / size[1] * 4 - (column + 0.5)) < 4 / size[1]
    assert torch.equal(blocks[:6].any(0), pixels_of(cells[:6].any(0), size))


def test_blocks_are_symmetric_where_sides_do_not_divide() -> None:
    for pixels in (7, 8, 10, 32):
        blocks = [pixels_of(torch.eye(3, dtype=torch.bool)[[k]], (1, pixels)) for k in range(3)]
        assert torch.equal(blocks[0], blocks[2].flip(1))
        assert torch.equal(blocks[1], blocks[1].flip(1))
