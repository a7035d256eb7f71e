"""Sizes as users write and read them, and the grid of latent maps that suits an image size when none is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from spatialvae.errors import UserError

__all__ = ["default_grid", "parse_size", "spell_shape", "spell_size"]


def parse_size(text: str, setting: str, example: tuple[int, int] = (3, 5)) -> tuple[int, int]:
    """(height, width) from ``SIDE`` or ``HEIGHTxWIDTH``; a UserError names the `setting`, and an `example`.

    >>> parse_size("3", "map_size"), parse_size("3x5", "map_size")
    ((3, 3), (3, 5))
    """
    parts = text.strip().lower().split("x")
    if len(parts) not in (1, 2) or not all(part.isdecimal() and int(part) > 0 for part in parts):
        height, width = example
        raise UserError(
            f"`{setting}` {text} is not a size: write a side such as {height}, or HEIGHTxWIDTH, {height}x{width}."
        )
    return int(parts[0]), int(parts[-1])


def default_grid(image_size: tuple[int, int]) -> tuple[int, int, int]:
    """(maps, height, width) for an image size: the paper's at 64x64 and 32x32, in proportion elsewhere.

    >>> default_grid((64, 64)), default_grid((32, 32)), default_grid((28, 28)), default_grid((8, 8))
    ((64, 3, 3), (128, 3, 3), (32, 3, 3), (8, 3, 3))
    """
    side = max(image_size)
    if side < 16:
        return 8, 3, 3
    if side < 32:
        return 32, 3, 3
    if side < 48:
        return 128, 3, 3
    height, width = (max(3, round(length / 21)) for length in image_size)
    return 64, height, width


def spell_shape(shape: Sequence[int]) -> str:
    """An image's shape [C, H, W] in words.

    >>> spell_shape((3, 32, 48))
    '32x48 with 3 channels'
    """
    channels, height, width = shape
    return f"{height}x{width} with {channels} channel{'' if channels == 1 else 's'}"


def spell_size(size: tuple[int, int]) -> str:
    """(height, width) as `parse_size` reads it.

    >>> spell_size((3, 5))
    '3x5'
    """
    height, width = size
    return f"{height}x{width}"
