"""Which split an image belongs to: the source's word, or else a hash of the image's own content."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spatialvae.errors import UserError

__all__ = ["SHARE", "SplitRule", "content_fraction", "split_called"]

SHARE = 0.05  # of the images, for each split that has to be carved out of the training images
FEWEST = 10  # different images needed before anything is carved out
SPELLINGS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


def split_called(word: str) -> str | None:
    """The split a folder, file or data set calls `word`, or None.

    >>> split_called("val"), split_called("Test"), split_called("cats")
    ('validation', 'test', None)
    """
    return SPELLINGS.get(word.lower())


def content_fraction(content: bytes | npt.NDArray[np.uint8]) -> float:
    """A number in [0, 1) that depends on the content alone, evenly spread over different contents.

    Equal pictures get equal numbers, so that duplicates fall into one split.

    >>> content_fraction(b"a") == content_fraction(b"a") != content_fraction(b"b")
    True
    """
    digest = hashlib.blake2b(digest_size=8)
    if isinstance(content, bytes):
        digest.update(content)
    else:
        digest.update(repr(content.shape).encode())
        digest.update(np.ascontiguousarray(content).data)
    return (int.from_bytes(digest.digest(), "big") >> 11) / 2**53


@dataclass(frozen=True)
class SplitRule:
    """Sends an image to a split: where the source says so, except that `carved` ones come from train by hash.

    An image of the training side with fraction u goes to the first carved split whose edge exceeds u.

    >>> rule = SplitRule.for_source(frozenset({"train", "test"}))
    >>> rule.carved, rule("test", 0.01), rule("train", 0.01), rule("train", 0.5)
    (('validation',), 'test', 'validation', 'train')
    """

    given: frozenset[str]
    carved: tuple[str, ...]
    edges: tuple[float, ...]

    @classmethod
    def for_source(cls, given: frozenset[str]) -> SplitRule:
        """The rule for a source that has the splits `given`; without "train" all its images are pooled."""
        given = given if "train" in given else frozenset()
        carved = tuple(name for name in ("test", "validation") if name not in given)
        return cls(given, carved, tuple(SHARE * (place + 1) for place in range(len(carved))))

    def __call__(self, said: str | None, fraction: float) -> str:
        if self.given and said is not None and said != "train":
            return said
        for name, edge in zip(self.carved, self.edges, strict=True):
            if fraction < edge:
                return name
        return "train"

    def with_every_split(self, fractions: Sequence[float] | npt.NDArray[np.float64]) -> SplitRule:
        """The same rule with edges moved up just enough that no carved split is empty.

        `fractions` are those of the training side. Only a small source, in which a share of 5 % comes out
        empty, moves an edge: the images of the smallest fractions then stand in. `UserError` when there are
        fewer than 10 different images.
        """
        if not self.carved:
            return self
        left = np.unique(np.asarray(fractions, dtype=np.float64))
        if len(left) < FEWEST:
            raise UserError(
                f"Too few images: {len(left)} different ones, and {' and '.join(self.carved)} images must be "
                f"set apart from the training images. Give at least {FEWEST}, or make the splits yourself."
            )
        edges: list[float] = []
        for edge in self.edges:
            edges.append(max(edge, math.nextafter(float(left[0]), 2.0)))
            left = left[left >= edges[-1]]
            if not len(left):
                raise UserError("Too few images: none is left for training. Give more.")
        return SplitRule(self.given, self.carved, tuple(edges))
