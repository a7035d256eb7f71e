"""Which steps take a code of any map size to the lowest resolution of a network, and which sizes have none."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spatialvae.errors import UserError
from spatialvae.networks.layers import Size
from spatialvae.sizes import spell_size

__all__ = ["Steps", "check_reach", "lowest_size", "most_halvings", "nearest_down", "steps_between"]


@dataclass(frozen=True)
class Steps:
    """How one side of a code becomes one of the lowest maps: perhaps a cell more, then a shuffle either way."""

    grown: int
    """1 where interpolation adds a cell, as from 3 to 4."""
    apart: int
    """How many cells of the lowest maps a cell of the code becomes."""
    together: int
    """How many cells of the code become one of the lowest maps."""


def steps_between(code: int, lowest: int) -> Steps | None:
    """The steps from a side of `code` cells to one of `lowest`; None where there are none.

    >>> steps_between(8, 8), steps_between(3, 8)
    (Steps(grown=0, apart=1, together=1), Steps(grown=1, apart=2, together=1))
    >>> steps_between(16, 8), steps_between(5, 8)
    (Steps(grown=0, apart=1, together=2), None)
    """
    if code == 1:
        return Steps(0, lowest, 1)
    for grown in (0, 1):
        side = code + grown
        larger, smaller = max(side, lowest), min(side, lowest)
        factor = larger // smaller
        if larger == factor * smaller and factor & (factor - 1) == 0:
            return Steps(grown, factor, 1) if lowest == larger else Steps(grown, 1, factor)
    return None


def lowest_size(image_size: Size, down: int) -> Size:
    """The size of an image's maps after `down` halvings, each side rounded up.

    >>> lowest_size((32, 32), 2), lowest_size((28, 45), 3)
    ((8, 8), (4, 6))
    """
    height, width = (-(-side // 2**down) for side in image_size)
    return height, width


def most_halvings(image_size: Size) -> int:
    """As many halvings as leave one pixel of the longer side."""
    return math.ceil(math.log2(max(image_size)))


def nearest_down(image_size: Size, map_size: Size) -> int | None:
    """How many halvings lead nearest to maps of `map_size`; None where no number of them leads to it.

    >>> [nearest_down((32, 32), (side, side)) for side in (3, 4, 8, 16, 5)]
    [3, 3, 2, 1, None]
    """

    def distance(down: int) -> tuple[int, int, int] | None:
        pairs = zip(map_size, lowest_size(image_size, down), strict=True)
        steps = [steps_between(code, lowest) for code, lowest in pairs]
        if None in steps:
            return None
        known = [step for step in steps if step is not None]
        return sum(step.apart * step.together for step in known), sum(step.grown for step in known), down

    distances = [reached for down in range(most_halvings(image_size) + 1) if (reached := distance(down)) is not None]
    return min(distances)[2] if distances else None


def check_reach(image_size: Size, map_size: Size, downs: range, network: str) -> None:
    """Refuse maps of a size that none of these numbers of halvings leads to.

    Raises:
        UserError: with the two nearest sizes that one does.
    """

    def reached(down: int) -> bool:
        return all(steps_between(*pair) for pair in zip(map_size, lowest_size(image_size, down), strict=True))

    if any(reached(down) for down in downs):
        return
    known: list[list[int]] = []
    for axis in (0, 1):
        lowest = {lowest_size(image_size, down)[axis] for down in downs}
        sides = [side for side in range(1, image_size[axis] + 1) if any(steps_between(side, low) for low in lowest)]
        below = max(side for side in sides if side <= map_size[axis])
        known.append([below, min((side for side in sides if side >= map_size[axis]), default=below)])
    nearest = dict.fromkeys(spell_size((rows, columns)) for rows, columns in zip(*known, strict=True))
    raise UserError(
        f"`map_size` {spell_size(map_size)} is out of reach for the network {network} on images of "
        f"{spell_size(image_size)}: the nearest {'are' if len(nearest) > 1 else 'is'} {' and '.join(nearest)}."
    )
