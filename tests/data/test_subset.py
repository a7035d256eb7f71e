"""Which images are taken where not all are: a draw that the seed fixes, smaller ones within larger ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from spatialvae.data.subset import drawn, subset


@pytest.mark.parametrize("limit", [None, 7, 8, 1000])
def test_all_where_there_are_no_more(limit: int | None) -> None:
    assert subset(7, limit, seed=3).tolist() == list(range(7))


def test_it_is_sorted_without_repeats_and_a_function_of_the_seed() -> None:
    rows = subset(1000, 100, seed=5)
    assert rows.dtype == np.int64
    assert (np.diff(rows) > 0).all() and rows[0] >= 0 and rows[-1] < 1000
    assert np.array_equal(rows, subset(1000, 100, seed=5))
    assert not np.array_equal(rows, subset(1000, 100, seed=6))


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_smaller_ones_lie_in_larger_ones(seed: int) -> None:
    nested = [set(subset(500, limit, seed=seed).tolist()) for limit in (1, 20, 100, 499, 500)]
    assert [len(each) for each in nested] == [1, 20, 100, 499, 500]
    assert all(small < large for small, large in pairwise(nested))
    assert np.array_equal(np.sort(drawn(500, 20, seed=seed)), subset(500, 20, seed=seed))


def test_every_image_has_the_same_chance() -> None:
    taken = np.zeros(50)
    for seed in range(2000):
        taken[subset(50, 10, seed=seed)] += 1
    expected, spread = 2000 * 0.2, (2000 * 0.2 * 0.8) ** 0.5
    assert np.abs(taken - expected).max() < 4.5 * spread


def test_sorted_classes_are_all_seen() -> None:
    labels = np.repeat(np.arange(10), 1000)
    counts = np.bincount(labels[subset(10_000, 1000)], minlength=10)
    assert counts.min() > 70


def test_nothing_is_drawn_from_the_global_generator() -> None:
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    subset(100, 10)
    assert np.random.random() == expected
