"""Pairs of two sets: by names, by the numbers in them, by order, and what is refused."""

from __future__ import annotations

import pytest

from spatialvae.data.pairing import pair
from spatialvae.errors import UserError


def paired(names: list[str] | None, others: list[str] | None) -> tuple[list[int], str]:
    count = len(names or others or [])
    pairs = pair(names, others, count, len(others or names or []))
    return pairs.order.tolist(), pairs.how


@pytest.mark.parametrize(
    ("names", "others", "order"),
    [
        (["b.png", "a.png"], ["a.jpg", "b.jpg"], [1, 0]),  # other suffixes
        (["0.png", "1.png", "10.png", "2.png"], ["00.png", "01.png", "02.png", "10.png"], [0, 1, 3, 2]),
        (["x2.png", "x10.png"], ["test/x10.png", "test/x2.png"], [1, 0]),  # the split's folder is no part of a name
        (["cat/1.png", "dog/1.png"], ["test/dog/1.png", "test/cat/1.png"], [1, 0]),
        (["cat/1.png", "dog/1.png"], ["dog/01.png", "cat/01.png"], [1, 0]),
        (["1.png", "2.png"], ["a/2.png", "b/1.png"], [1, 0]),  # without their folders
        (["1.png", "01.png"], ["01.png", "1.png"], [1, 0]),  # two names of one number: to the letter
    ],
)
def test_names_that_agree(names: list[str], others: list[str], order: list[int]) -> None:
    assert paired(names, others) == (order, "by name")


def test_natural_order_where_no_name_agrees() -> None:
    pairs = paired(["a1.png", "a10.png", "a2.png"], ["b10.png", "b9.png", "b8.png"])
    assert pairs == ([1, 2, 0], "in natural order, as no name agrees")


def test_rows_of_arrays_keep_their_order() -> None:
    assert paired(None, ["0.png", "10.png", "2.png"]) == ([0, 1, 2], "in order")
    assert paired(["0.png", "10.png"], None) == ([0, 1], "in order")
    assert pair(None, None, 3, 3).order.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("names", "others", "words"),
    [
        (["1.png", "2.png", "3.png"], ["1.png", "2.png", "4.png"], r"3\.png of the set has no partner \(and 1 more\)"),
        (["1.png"], ["1.png", "2.png"], r"2\.png compared with has no partner: give both"),
        (["a.png"], ["b.png", "c.png"], "for each of the 2 compared with .*; there are 1"),
        (None, ["b.png", "c.png"], "for each of the 2 compared with .*; there are 1"),
    ],
)
def test_what_is_refused(names: list[str] | None, others: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        pair(names, others, len(names or [0]), len(others))
