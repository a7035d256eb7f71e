"""Which images are taken where not all are: a seeded draw, never the first, which a sorted source has of one class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spatialvae.seeding import stream_seed

__all__ = ["drawn", "spell_subset", "subset"]


def drawn(count: int, limit: int | None = None, *, seed: int = 0) -> npt.NDArray[np.int64]:
    """The places of `limit` of `count` images in the order of their draw without replacement, int64 [n]; None: of all.

    A function of (count, seed); a smaller draw is the beginning of a larger one.

    >>> np.array_equal(drawn(1000, 10), drawn(1000, 300)[:10])
    True
    """
    return np.random.default_rng(stream_seed(seed, count)).permutation(count)[:limit]


def subset(count: int, limit: int | None = None, *, seed: int = 0) -> npt.NDArray[np.int64]:
    """The same places from low to high, int64 [n]; all of them where `limit` is None or no fewer than `count`.

    Of one seed, a smaller subset lies in a larger one.

    >>> subset(4), subset(1000, 10).size, set(subset(1000, 10)) <= set(subset(1000, 300))
    (array([0, 1, 2, 3]), 10, True)
    """
    if limit is None or limit >= count:
        return np.arange(count)
    return np.sort(drawn(count, limit, seed=seed))


def spell_subset(taken: int, count: int, seed: int) -> str:
    """A subset in words.

    >>> spell_subset(1000, 10_000, 0), spell_subset(500, 500, 0)
    ('1,000 of 10,000 images, drawn with seed 0', 'all 500 images')
    """
    return f"{taken:,} of {count:,} images, drawn with seed {seed}" if taken < count else f"all {count:,} images"
