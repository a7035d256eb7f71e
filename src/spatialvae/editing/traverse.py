"""Walks through a code along one direction: a cell's, a map's, a single number's, or a principal one of the prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spatialvae.editing.decoded import decoded
from spatialvae.editing.directions import deviation_along, principal_directions
from spatialvae.model import SpatialVAE

__all__ = ["Direction", "component_directions", "part_directions", "traverse"]


@dataclass(frozen=True, eq=False)
class Direction:
    """One way to go from a code."""

    name: str
    """What moves, in words, such as "map 3 at cell 1,2"."""
    vector: Tensor
    """Of length 1, [maps, height, width]; 0 where nothing moves."""
    whole: str
    """Whose variance `share` is of: the code, the cell, the map or the number."""
    share: float
    """The part of that variance that lies along it."""

    def deviation(self, draws: Tensor) -> float:
        """The standard deviation along it of draws [n, maps, height, width]."""
        return deviation_along(self.vector, draws)


def component_directions(draws: Tensor, components: Sequence[int]) -> list[Direction]:
    """Principal directions of a distribution over codes, the one of most variance first: number 0.

    Args:
        draws: from the distribution, [n, maps, height, width].
    """
    directions, deviations = principal_directions(draws, max(components) + 1)
    shares = _shares(deviations, draws)
    return [Direction(f"component {k}", directions[k], "the code", shares[k]) for k in components]


def part_directions(
    draws: Tensor, *, cells: Tensor | None = None, maps: Sequence[int] | None = None
) -> list[Direction]:
    """A direction for each cell, each map, or each map at each cell; the others stay where they are.

    A cell moves with all its maps, and a map with all its cells, along the leading principal direction of its own
    numbers under the distribution; a map at a cell is a single number.

    Args:
        draws: from the distribution, [n, maps, height, width].
        cells: bool [height, width]; None: all move together, as a whole map.
        maps: their numbers; None: all move together.
    """
    places = [None] if cells is None else [(int(i), int(j)) for i, j in cells.nonzero()]
    return [_leading(draws, k, place) for k in ([None] if maps is None else maps) for place in places]


def _leading(draws: Tensor, number: int | None, place: tuple[int, int] | None) -> Direction:
    """The leading direction of the numbers of one map, of one cell, or of both."""
    maps = slice(None) if number is None else slice(number, number + 1)
    rows, columns = (slice(None),) * 2 if place is None else (slice(site, site + 1) for site in place)
    part = draws[:, maps, rows, columns]
    [leading], deviations = principal_directions(part, 1)
    vector = torch.zeros_like(draws[0])
    vector[maps, rows, columns] = leading
    names = [
        *([] if number is None else [f"map {number}"]),
        *([] if place is None else [f"cell {place[0]},{place[1]}"]),
    ]
    whole = "the number" if number is not None and place else "the cell" if place else "the map"
    return Direction(" at ".join(names), vector, whole, _shares(deviations, part)[0])


def _shares(deviations: Tensor, draws: Tensor) -> list[float]:
    """The parts of all variance of draws [n, ...] that lie along directions; 0 where nothing varies."""
    return (deviations.square() / draws.var(0).sum().clamp(min=torch.finfo(draws.dtype).tiny)).tolist()


def traverse(
    model: SpatialVAE, origin: Tensor, directions: Sequence[Direction], reaches: Sequence[float], steps: int
) -> Tensor:
    """Pictures along each direction, one row after the other: uint8 [directions * steps C H W].

        z(t) = origin + t reach d,  `steps` values of t from -1 to 1

    Args:
        origin: the code in the middle, [maps, height, width].
        reaches: how far each walk goes to either side.
    """
    t = torch.linspace(-1, 1, steps, dtype=origin.dtype)[:, None, None, None]
    walks = [
        origin.cpu() + t * reach * direction.vector.to(t) for direction, reach in zip(directions, reaches, strict=True)
    ]
    return decoded(model, torch.cat(walks))
