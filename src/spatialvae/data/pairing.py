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
    """`order` [N]: the place in the set of each of the others' partner; `how` says what it was found by."""

    order: npt.NDArray[np.int64]
    how: str


def pair(names: Sequence[str] | None, others: Sequence[str] | None, count: int, wanted: int) -> Pairing:
    """Pair `count` images with the `wanted` ones that they are made of.

    Names are compared without their suffix, with the folders and without, to the letter and by the values of the
    numbers in them (1 is 01). Where no name agrees, both sets are in natural order (2 before 10), and so are sets
    without names, which keep their own.

    Args:
        names, others: the files' names within their folders, or None for rows of an array.

    Raises:
        UserError: another number of images than is wanted, or names of which some agree and some do not.

    >>> pair(["0.png", "1.png", "10.png", "2.png"], ["00.jpg", "01.jpg", "02.jpg", "10.jpg"], 4, 4).order
    array([0, 1, 3, 2])
    """
    if names is None or others is None:
        _check_count(count, wanted)
        how = "in their order" if names is None and others is None else "in the natural order of the names"
        return Pairing(_by_order(names, others, count), how)
    shared: tuple[Any, Any] | None = None
    for key in KEYS:
        mine, theirs = [key(name) for name in names], [key(name) for name in others]
        if len(set(mine)) < len(mine) or len(set(theirs)) < len(theirs):
            continue
        if set(mine) == set(theirs):
            place = {name: index for index, name in enumerate(mine)}
            return Pairing(np.array([place[name] for name in theirs], dtype=np.int64), "by name")
        if set(mine) & set(theirs):
            shared = mine, theirs
    if shared is not None:
        raise UserError(_odd_one(names, others, *shared))
    _check_count(count, wanted)
    return Pairing(_by_order(names, others, count), "in the natural order of the names, of which none agree")


def _check_count(count: int, wanted: int) -> None:
    if count != wanted:
        raise UserError(f"--paired wants one image for each of the {wanted} compared with; there are {count}.")


def _by_order(names: Sequence[str] | None, others: Sequence[str] | None, count: int) -> npt.NDArray[np.int64]:
    order = np.empty(count, dtype=np.int64)
    order[_sorted(others, count)] = _sorted(names, count)
    return order


def _sorted(names: Sequence[str] | None, count: int) -> npt.NDArray[np.int64]:
    found = range(count) if names is None else sorted(range(count), key=lambda index: natural_key(names[index]))
    return np.array(found, dtype=np.int64)


def _odd_one(names: Sequence[str], others: Sequence[str], mine: list[Any], theirs: list[Any]) -> str:
    """The first name of either side that the other side has not."""
    known_here, known_there = set(mine), set(theirs)
    lonely = [f"{name} of the set" for name, key in zip(names, mine, strict=True) if key not in known_there]
    lonely += [f"{name} compared with" for name, key in zip(others, theirs, strict=True) if key not in known_here]
    more = f" (and {len(lonely) - 1} more)" if len(lonely) > 1 else ""
    return f"--paired goes by the files' names, and {lonely[0]} has no partner{more}: give both sets the same names."


def _path(name: str) -> PurePosixPath:
    """Without the suffix, and without the folder that only says which split it is."""
    path = PurePosixPath(name).with_suffix("")
    return path.relative_to(path.parts[0]) if len(path.parts) > 1 and split_called(path.parts[0]) else path


KEYS: tuple[Callable[[str], Any], ...] = (
    lambda name: str(_path(name)),
    lambda name: natural_key(str(_path(name)))[0],  # 1 is 01
    lambda name: _path(name).name,
    lambda name: natural_key(_path(name).name)[0],
)
