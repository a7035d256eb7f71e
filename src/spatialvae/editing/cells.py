"""Cells of the latent maps as users write them, and the pixels that they stand over."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from spatialvae.errors import UserError

__all__ = ["check_cells", "check_region", "parse_cells", "parse_numbers", "pixels_of"]

RANGE = re.compile(r"(\d+)|(\d*):(\d*)")


def check_cells(map_size: tuple[int, int]) -> None:
    """Refuse maps of a single cell.

    Raises:
        UserError: the maps are 1x1, so that there are no cells to choose among.
    """
    if map_size == (1, 1):
        raise UserError(
            "The latent of this model is a vector, maps of 1x1, which has no cells to choose among: "
            "use a model with larger maps, such as `latent` low-rank."
        )


def check_region(cells: Tensor, map_size: tuple[int, int]) -> None:
    """Refuse a mask that is not one of these maps, or that holds no cell.

    Raises:
        UserError: another type or size than bool [height, width], or nothing chosen.
    """
    height, width = map_size
    if cells.dtype != torch.bool or tuple(cells.shape) != map_size:
        kind = f"{str(cells.dtype).removeprefix('torch.')} {list(cells.shape)}"
        raise UserError(f"The region is {kind}: a mask of these maps is bool [{height}, {width}].")
    if not cells.any():
        raise UserError(f"The region holds no cell: choose at least one of the {height}x{width}.")


def parse_cells(text: str, map_size: tuple[int, int], setting: str = "cells") -> Tensor:
    """The cells that ``ROWS,COLUMNS`` names, several rectangles joined by ``+``: bool [height, width].

    Rows and columns are numbers from 0, or half-open ranges as in Python: ``1,2`` is a cell, ``0:2,1:3`` two rows by
    two columns, ``:,0`` the first column, ``0,0+2,2`` two corners.

    Raises:
        UserError: another text, cells outside the maps, a rectangle without cells, or maps of a single cell.

    >>> parse_cells("0:2,1:3", (3, 3)).int()
    tensor([[0, 1, 1],
            [0, 1, 1],
            [0, 0, 0]], dtype=torch.int32)
    """
    check_cells(map_size)
    cells = torch.zeros(map_size, dtype=torch.bool)
    for rectangle in text.split("+"):
        axes = rectangle.split(",")
        if len(axes) != 2:
            raise UserError(f"`{setting}` {text} is not ROWS,COLUMNS: write for instance 0:2,1:3, or 0,0+2,2.")
        rows, columns = (
            _range(axis, size, f"`{setting}` {text}", what, f"these maps are {map_size[0]}x{map_size[1]}")
            for axis, size, what in zip(axes, map_size, ("rows", "columns"), strict=True)
        )
        cells[rows.start : rows.stop, columns.start : columns.stop] = True
    return cells


def parse_numbers(text: str, count: int, setting: str, what: str) -> list[int]:
    """Numbers from 0 to `count` - 1 by the grammar of one axis of cells: ``3``, ``0:4`` or ``0:2+5``.

    Args:
        text: such as ``0:2+5``.
        count: how many there are.
        setting: what the text was given for.
        what: what is counted, in the plural.

    Raises:
        UserError: another text, numbers that do not exist, or an empty range.

    >>> parse_numbers("0:2+5", 8, "map", "maps")
    [0, 1, 5]
    """
    chosen = [number for part in text.split("+") for number in _range(part, count, f"`{setting}` {text}", what)]
    return list(dict.fromkeys(chosen))


def pixels_of(cells: Tensor, image_size: tuple[int, int]) -> Tensor:
    """The blocks of pixels that cells stand over when the map is stretched onto the image: bool [H, W].

    Pixel (r, c) belongs to the cell (floor((r + 1/2) h / H), floor((c + 1/2) w / W)).

    >>> pixels_of(torch.tensor([[True, False]]), (2, 4)).int()
    tensor([[1, 1, 0, 0],
            [1, 1, 0, 0]], dtype=torch.int32)
    """
    rows, columns = (
        ((2 * torch.arange(pixels) + 1) * count) // (2 * pixels)
        for pixels, count in zip(image_size, cells.shape, strict=True)
    )
    return cells[rows][:, columns]


def _range(text: str, size: int, where: str, what: str, whole: str = "") -> range:
    """One number or half-open range of `size` numbers."""
    match = RANGE.fullmatch(text.strip())
    if not match:
        raise UserError(f"{where}: {text!r} is no number or range of {what}: write 1, 0:2 or a colon for all.")
    number, start, stop = match.groups()
    first = int(number or start or 0)
    last = first + 1 if number else int(stop) if stop else max(size, first + 1)
    if first < last <= size:
        return range(first, last)
    near = min(first, size - 1)
    until = min(max(last, near + 1), size)
    nearest = f"nearest {near if until == near + 1 else f'{near}:{until}'}"
    rule = f"{whole}: " if whole else ""
    if last <= first:
        raise UserError(f"{where}: {text} holds no {what}; {rule}{what} go from 0 to {size - 1}, {nearest}.")
    raise UserError(f"{where}: {what} {text} lie outside; {rule}{what} go from 0 to {size - 1}, {nearest}.")
