"""Which image of one set belongs to which of another: by the files' names where they agree, else by order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from spatialvae.data.natural import natural_key
from spatialvae.data.splits import split_called
from spatialvae.errors import UserError

__all__ = ["Pairing", "pair"]


@dataclass(frozen=True, eq=False)
class Pairing:
    """`order` int64 [N]: the place in the set of each of the others' partner; `how` says what it was found by."""

    order: npt.NDArray[np.int64]
    how: str


def pair(names: Sequence[str] | None, others: Sequence[str] | None, count: int, wanted: int) -> Pairing:
    """Pair `count` images with the `wanted` ones that they are made of.

    Names are compared without their suffix: with their folders and without, to the letter and by the values of the
    numbers in them (1 is 01). Where not one name agrees, both sets go in natural order (2 before 10). Images without
    names, the rows of an array, go in the order that they have, and so do those that they are paired with.

    Args:
        names: the files' names within their folders, or None for images without names.
        others: the same of the images that they are compared with.

    Raises:
        UserError: another number of images than is wanted, or names of which some agree and some do not.

    >>> pair(["0.png", "1.png", "10.png", "2.png"], ["00.jpg", "01.jpg", "02.jpg", "10.jpg"], 4, 4).order
    array([0, 1, 3, 2])
    """
    if names is None or others is None:
        _check_count(count, wanted)
        return Pairing(np.arange(count), "in order")
    agreeing = None
    for key in KEYS:
        mine, theirs = [key(name) for name in names], [key(name) for name in others]
        place = {name: index for index, name in enumerate(mine)}
        if len(place) < len(mine) or len(set(theirs)) < len(theirs):
            continue  # two images of one name tell nothing
        if place.keys() == set(theirs):
            return Pairing(np.array([place[name] for name in theirs], dtype=np.int64), "by name")
        if place.keys() & set(theirs):
            agreeing = mine, theirs
    if agreeing is not None:
        raise UserError(_lonely(names, others, *agreeing))
    _check_count(count, wanted)
    order = np.empty(count, dtype=np.int64)
    order[_natural_order(others)] = _natural_order(names)
    return Pairing(order, "in natural order, as no name agrees")


def _check_count(count: int, wanted: int) -> None:
    if count != wanted:
        raise UserError(
            f"`paired` wants one image for each of the {wanted} compared with (`split` says which); there are {count}."
        )


def _natural_order(names: Sequence[str]) -> npt.NDArray[np.int64]:
    return np.array(sorted(range(len(names)), key=lambda index: natural_key(names[index])), dtype=np.int64)


def _lonely(names: Sequence[str], others: Sequence[str], mine: list[Any], theirs: list[Any]) -> str:
    """Tells the first name of either side that the other side has not."""
    known_here, known_there = set(mine), set(theirs)
    lonely = [f"{name} of the set" for name, key in zip(names, mine, strict=True) if key not in known_there]
    lonely += [f"{name} compared with" for name, key in zip(others, theirs, strict=True) if key not in known_here]
    more = f" (and {len(lonely) - 1} more)" if len(lonely) > 1 else ""
    return f"`paired` goes by the files' names, and {lonely[0]} has no partner{more}: give both sets the same names."


def _path(name: str) -> PurePosixPath:
    """Without the suffix, and without the folder that only says which split it is."""
    path = PurePosixPath(name).with_suffix("")
    return path.relative_to(path.parts[0]) if len(path.parts) > 1 and split_called(path.parts[0]) else path


KEYS: tuple[Callable[[str], Any], ...] = (
    lambda name: str(_path(name)),
    lambda name: natural_key(str(_path(name)))[0],
    lambda name: _path(name).name,
    lambda name: natural_key(_path(name).name)[0],
)
"""From the strictest to the most lenient: the first by which all names agree is taken."""
