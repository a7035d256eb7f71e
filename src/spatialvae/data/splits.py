"""Which split an image belongs to: the source's word, or else a hash of the image's own pixels."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import numpy.typing as npt

from spatialvae.errors import UserError

__all__ = [
    "SHARE",
    "SplitRule",
    "content_key",
    "count_duplicates",
    "fraction_of",
    "shared_parts",
    "split_called",
    "splits_of",
    "without_words",
]

SHARE = 0.05  # of the images, for each split that has to be carved out of the training images
FEWEST = 10  # different images needed before anything is carved out
SPELLINGS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "holdout"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "t10k", "eval", "evaluation"), "test"),
}
LETTER = r"[^\W\d_]"
WORD = re.compile(rf"(?<!{LETTER})({'|'.join(SPELLINGS)})(?!{LETTER})")
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")  # trainA, TestImages


def split_called(name: str) -> str | None:
    """The split that a file, folder, array or part of a data set of this name says it is, or None.

    The word may stand anywhere, as a whole: between it and other letters there is something that is no letter, or a
    capital begins. A name with words of two splits says nothing.

    >>> (
    ...     split_called("val"),
    ...     split_called("mnist_test.parquet"),
    ...     split_called("trainspotting"),
    ...     split_called("train-test"),
    ... )
    ('validation', 'test', None, None)
    """
    splits = {SPELLINGS[word] for word in WORD.findall(CAMEL.sub(" ", name).lower())}
    return splits.pop() if len(splits) == 1 else None


def without_words(name: str) -> str:
    """The letters and digits of a name besides the words of splits, by which files of one data set agree.

    >>> without_words("emnist-balanced-train"), without_words("emnist_balanced.test")
    ('emnist balanced', 'emnist balanced')
    """
    return " ".join(re.findall(r"[^\W_]+", WORD.sub(" ", CAMEL.sub(" ", name).lower())))


def shared_parts(places: Iterable[Sequence[str]]) -> int:
    """How many parts, from the first on, all these paths have in common.

    >>> shared_parts([("my-test", "train", "a"), ("my-test", "val")])
    1
    """
    ordered = sorted(tuple(place) for place in places)
    ends = zip(ordered[0], ordered[-1], strict=False) if ordered else ()
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))


def splits_of(places: Mapping[str, Sequence[str]]) -> dict[str, str | None]:
    """The split of every thing by the parts of its path: the outermost part that says one decides.

    What all paths share is asked last: below `my-test/` a folder `train/` is for training.

    >>> splits_of({"a": ("my-test", "train"), "b": ("my-test", "val", "train station")})
    {'a': 'train', 'b': 'validation'}
    """
    shared = shared_parts(places.values())
    below = {name: _first(parts[shared:]) for name, parts in places.items()}
    return below if any(below.values()) else {name: _first(parts[:shared]) for name, parts in places.items()}


def _first(parts: Sequence[str]) -> str | None:
    return next((split for part in parts if (split := split_called(part))), None)


def content_key(image: npt.NDArray[np.uint8]) -> int:
    """64 bits that depend on the pixels of an image [C, H, W] alone; grey counts the same as grey in colour.

    >>> grey = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    >>> content_key(grey) == content_key(grey.repeat(3, 0)) != content_key(grey[:, ::-1])
    True
    """
    if len(image) == 3 and np.array_equal(image[0], image[1]) and np.array_equal(image[0], image[2]):
        image = image[:1]
    digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=8)
    digest.update(np.ascontiguousarray(image).data)
    return int.from_bytes(digest.digest(), "big")


def fraction_of(key: int) -> float:
    """A number in [0, 1), evenly spread over different images, from the key of one; equal pixels get equal numbers.

    >>> fraction_of(0), fraction_of(2**63)
    (0.0, 0.5)
    """
    return (key >> 11) / 2**53


def count_duplicates(keys: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """How many images of each split are pixel for pixel in one that comes before it, where there are any.

    `keys` are the images' `content_key`s, by split.

    >>> count_duplicates({"train": [1, 2], "validation": [3], "test": [2, 2, 3, 4]})
    {'test in train': 2, 'test in validation': 1}
    """
    duplicates: dict[str, int] = {}
    sets = {name: np.asarray(split, dtype=np.uint64) for name, split in keys.items()}
    for place, (name, split) in enumerate(sets.items()):
        for other in list(sets)[:place]:
            if count := int(np.isin(split, sets[other]).sum()):
                duplicates[f"{name} in {other}"] = count
    return duplicates


@dataclass(frozen=True)
class SplitRule:
    """Sends an image to a split: where the source says so, except that `carved` ones come from train by hash.

    An image of the training side with fraction u goes to the first carved split whose edge exceeds u.

    >>> rule = SplitRule.for_source("mine", {"a": "train", "b": "test"})
    >>> rule.carved, rule("test", 0.01), rule("train", 0.01), rule("train", 0.5)
    (('validation',), 'test', 'validation', 'train')
    """

    given: frozenset[str]
    carved: tuple[str, ...]
    edges: tuple[float, ...]

    @classmethod
    def for_source(cls, source: str, named: Mapping[str, str | None]) -> SplitRule:
        """The rule for a source whose things (files, folders, arrays) have these splits.

        Where nothing says a split, or train is among them, what lacks is carved. Where only others are named, these
        are all there is. `UserError` when some things say a split and others none: a test set would be mixed in.
        """
        given = frozenset(split for split in named.values() if split)
        unknown = [name for name, split in named.items() if split is None]
        if given and unknown:
            sure = next(name for name, split in named.items() if split)
            raise UserError(
                f"'{source}' names {' and '.join(sorted(given))} images, for instance {sure}, and has {len(unknown)} "
                f"of no known split, outside of train, validation and test, for instance {unknown[0]}.\n"
                "Put these words into the names of all files or of their folders, give one file or folder by its own "
                "path, or rename what is only called like a split."
            )
        wanted = () if given and "train" not in given else ("test", "validation")
        carved = tuple(name for name in wanted if name not in given)
        return cls(given, carved, tuple(SHARE * (place + 1) for place in range(len(carved))))

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that come of it, in the order of `SPLITS`."""
        made = {*self.given, *self.carved, *(["train"] if self.carved else [])}
        return tuple(name for name in ("train", "validation", "test") if name in made)

    def __call__(self, split: str | None, fraction: float) -> str:
        if split is not None and split != "train":
            return split
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
