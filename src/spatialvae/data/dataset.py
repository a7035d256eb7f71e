"""What preparing a source gives: fixed splits of uint8 images, memory-mapped from the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from spatialvae.data.notes import Seen, notes_of
from spatialvae.data.options import ImageOptions
from spatialvae.errors import UserError, nearest

__all__ = ["SPLITS", "ImageData", "ImageSplit"]

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """Images of one split: `images` uint8 [N, C, H, W], read-only, and `labels` int64 [N] or None.

    >>> split = ImageSplit(np.zeros((5, 1, 8, 8), np.uint8), None)
    >>> len(split), split.take(np.array([3, 0])).shape
    (5, (2, 1, 8, 8))
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Copy the images at `indices` [B], in that order: uint8 [B, C, H, W]; `IndexError` outside 0..N-1.

        >>> ImageSplit(np.arange(2 * 64, dtype=np.uint8).reshape(2, 1, 8, 8), None).take(np.array([1]))[0, 0, 0, 0]
        np.uint8(64)
        """
        return np.take(self.images, indices, axis=0)


@dataclass(frozen=True, eq=False)
class ImageData:
    """A prepared source: its splits "train", "validation" and "test", its sizes and its fingerprint.

    A source that names others and no "train" has only those. `channel_means` are of the training images (else of the
    first split), 0 to 255. `skipped` counts the bad pictures left out, `passed_over` the files that are none, by
    suffix, and `duplicates` the images that are pixel for pixel in two splits, such as {"test in train": 3}.

    >>> one = ImageSplit(np.zeros((1, 1, 8, 8), np.uint8), None)
    >>> data = ImageData("digits", "digits", "0a", 8, 8, 1, {"train": one}, [0.0], 0, None)
    >>> len(data.split("train"))
    1
    """

    source: str
    name: str
    fingerprint: str
    height: int
    width: int
    channels: int
    splits: Mapping[str, ImageSplit]
    channel_means: list[float]
    skipped: int
    label_names: list[str] | None
    options: ImageOptions = field(default_factory=ImageOptions)
    """The crop, size and the like that the images were prepared with."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    duplicates: Mapping[str, int] = field(default_factory=dict)
    seen: Mapping[str, int] = field(default_factory=dict)
    """What the pictures were that may not be what was meant: see `Seen`."""

    @property
    def notes(self) -> list[str]:
        """What a user should know of these images before a number is made of them, a sentence each.

        >>> one = ImageSplit(np.zeros((1, 1, 8, 8), np.uint8), None)
        >>> ImageData("mine", "mine", "0a", 8, 8, 1, {"train": one}, [0.0], 0, None, passed_over={".jxl": 2}).notes
        ['passed over: 2 files (.jxl 2)']
        """
        return notes_of(self.passed_over, self.skipped, self.duplicates, Seen(**self.seen))

    def split(self, name: str) -> ImageSplit:
        """The split called `name`; `UserError` naming the nearest one when there is none.

        >>> one = ImageSplit(np.zeros((1, 1, 8, 8), np.uint8), None)
        >>> ImageData("digits", "digits", "0a", 8, 8, 1, {"test": one}, [0.0], 0, None).split("tset")
        Traceback (most recent call last):
        spatialvae.errors.UserError: Split 'tset' is not known. Did you mean 'test'?
        """
        if name == "train" and name not in self.splits:
            raise UserError(
                f"'{self.name}' names only {' and '.join(self.splits)} images, and none to train on.\n"
                "Call those train as well (a folder train/, files train-*.parquet), or give the file or the folder of "
                "the images by its own path: then they are split anew."
            )
        if name not in self.splits:
            raise UserError(f"Split '{name}' is not known. {nearest(name, self.splits)}")
        return self.splits[name]
