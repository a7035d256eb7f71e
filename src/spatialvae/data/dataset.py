"""What preparing a source gives: fixed splits of uint8 images, memory-mapped from the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from spatialvae.data.options import ImageOptions
from spatialvae.errors import UserError, nearest

__all__ = ["SPLITS", "ImageData", "ImageSplit"]

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """Images of one split: `images` uint8 [N, C, H, W], read-only, and `labels` int64 [N] or None.

    Labels are places in `ImageData.label_names`, -1 for an image without one; None when no image has any.

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

    `channel_means` are of the training images, 0 to 255. `skipped` counts the bad pictures left out. `label_names` are
    the classes of all splits in the order of their numbers, which is what they are called where none are given.

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

    def __post_init__(self) -> None:
        labels = [split.labels for split in self.splits.values() if split.labels is not None]
        if self.label_names is None and labels:
            classes = 1 + max(int(own.max(initial=-1)) for own in labels)
            object.__setattr__(self, "label_names", [str(number) for number in range(classes)])

    def class_counts(self, name: str) -> list[int]:
        """How many images of a split each class of `label_names` has; the others of the split have no label.

        >>> some = ImageSplit(np.zeros((4, 1, 8, 8), np.uint8), np.array([1, -1, 1, 0]))
        >>> ImageData("own", "own", "0a", 8, 8, 1, {"train": some}, [0.0], 0, ["cat", "dog"]).class_counts("train")
        [1, 2]
        """
        labels = self.split(name).labels
        labels = np.empty(0, np.int64) if labels is None else labels
        return np.bincount(labels[labels >= 0], minlength=len(self.label_names or ())).tolist()

    def split(self, name: str) -> ImageSplit:
        """The split called `name`; `UserError` naming the nearest one when there is none.

        >>> one = ImageSplit(np.zeros((1, 1, 8, 8), np.uint8), None)
        >>> ImageData("digits", "digits", "0a", 8, 8, 1, {"test": one}, [0.0], 0, None).split("tset")
        Traceback (most recent call last):
        spatialvae.errors.UserError: Split 'tset' is not known. Did you mean 'test'?
        """
        if name not in self.splits:
            raise UserError(f"Split '{name}' is not known. {nearest(name, self.splits)}")
        return self.splits[name]
