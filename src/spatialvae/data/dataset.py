"""What preparing a source gives: fixed splits of uint8 images, memory-mapped from the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from spatialvae.data.description import Description
from spatialvae.data.joined import JoinedImages
from spatialvae.data.notes import Seen, notes_of
from spatialvae.data.options import ImageOptions
from spatialvae.data.representation import as_html, shape_words
from spatialvae.errors import UserError, nearest

__all__ = ["SPLITS", "WHOLE", "ImageData", "ImageSplit", "content_hash"]

SPLITS = ("train", "validation", "test")
WHOLE = "all"
"""The name under which every image of a source is asked for, whatever its split."""


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """Images of one split: `pixels` uint8 [N, C, H, W], read-only, and `labels` int64 [N] or None.

    `rows` int64 [N] are the images' positions in their source, or None where nothing tells them.

    Labels are places in `ImageData.label_names`, -1 for an image without one; None when no image has any.

    >>> split = ImageSplit(np.zeros((5, 1, 8, 8), np.uint8), None)
    >>> len(split), split.shape, split.take(np.array([3, 0])).shape
    (5, (1, 8, 8), (2, 1, 8, 8))
    """

    pixels: npt.NDArray[np.uint8] | JoinedImages
    labels: npt.NDArray[np.int64] | None
    rows: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def __repr__(self) -> str:
        channels, height, width = self.shape
        labels = "unlabelled" if self.labels is None else f"{np.sum(self.labels >= 0):,} labelled"
        return f"ImageSplit({len(self):,} images of {shape_words(height, width, channels)}, {labels})"

    def _repr_html_(self) -> str:
        return as_html(repr(self), {"of these": self})

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image: [C, H, W]."""
        return tuple(self.pixels.shape[1:])

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """All images, [N, C, H, W]: mapped, except that those of `split("all")` are copied into memory."""
        return self.pixels.take(np.arange(len(self))) if isinstance(self.pixels, JoinedImages) else self.pixels

    def take(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Copy the images at `indices` [B], in that order: uint8 [B, C, H, W]; `IndexError` outside 0..N-1.

        >>> ImageSplit(np.arange(2 * 64, dtype=np.uint8).reshape(2, 1, 8, 8), None).take(np.array([1]))[0, 0, 0, 0]
        np.uint8(64)
        """
        return self.pixels.take(indices) if isinstance(self.pixels, JoinedImages) else np.take(self.pixels, indices, 0)


@dataclass(frozen=True, eq=False)
class ImageData:
    """A prepared source: its splits "train", "validation" and "test", its sizes and its fingerprint.

    `source` is a name, `hub:OWNER/NAME`, an absolute path, or None for arrays in memory. One that names other splits
    and no "train" has only those. `channel_means` are of the training images (else of the first split), 0 to 255.
    `skipped` counts the bad pictures left out, `passed_over` the files that are none, by suffix, and `duplicates` the
    images that are pixel for pixel in two splits, such as {"test in train": 3}. `label_names` are the classes of all
    splits in the order of their numbers, which is what they are called where none are given.

    >>> one = ImageSplit(np.zeros((1, 1, 8, 8), np.uint8), None)
    >>> data = ImageData("digits", "digits", "0a", 8, 8, 1, {"train": one}, [0.0], 0, None)
    >>> len(data.split("train"))
    1
    """

    source: str | None
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
    carved: tuple[str, ...] = ()
    """Splits that the source does not name: images of its training side, set apart by the hash of their content."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    duplicates: Mapping[str, int] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    """What the pictures were that may not be what was meant: see `Seen`."""

    def __post_init__(self) -> None:
        labels = [split.labels for split in self.splits.values() if split.labels is not None]
        if self.label_names is None and labels:
            classes = 1 + max(int(own.max(initial=-1)) for own in labels)
            object.__setattr__(self, "label_names", [str(number) for number in range(classes)])

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {len(split):,}" for name, split in self.splits.items())
        classes = f", {len(self.label_names)} classes" if self.label_names else ""
        size = shape_words(self.height, self.width, self.channels)
        return f"ImageData({self.name}: {size}, {counts}{classes})"

    def _repr_html_(self) -> str:
        return as_html(repr(self), self.splits)

    @property
    def notes(self) -> list[str]:
        """What a user should know of these images before a number is made of them, a sentence each.

        >>> one = ImageSplit(np.zeros((1, 1, 8, 8), np.uint8), None)
        >>> ImageData("mine", "mine", "0a", 8, 8, 1, {"train": one}, [0.0], 0, None, passed_over={".jxl": 2}).notes
        ['passed over: 2 files (.jxl 2)']
        """
        return notes_of(self.passed_over, self.skipped, self.duplicates, self.seen)

    @classmethod
    def described(
        cls,
        description: Description,
        splits: Mapping[str, ImageSplit],
        *,
        source: str | None,
        name: str,
        fingerprint: str,
        options: ImageOptions,
        passed_over: Mapping[str, int],
    ) -> ImageData:
        """The splits that a pass over a source gave, with what it says of them."""
        known = {one.name: getattr(description, one.name) for one in fields(description) if one.name != "splits"}
        return cls(source, name, fingerprint, splits=splits, options=options, passed_over=passed_over, **known)

    @classmethod
    def from_arrays(
        cls,
        images: Mapping[str, npt.NDArray[np.uint8]],
        labels: Mapping[str, npt.NDArray[np.int64]] | None = None,
        *,
        label_names: list[str] | None = None,
        name: str = "arrays",
    ) -> ImageData:
        """Data from arrays in memory: for each split its images, uint8 [N, C, H, W], and labels where there are any.

        Labels are classes 0 to K-1, -1 for none. The fingerprint is a hash of all of it, and `source` is None: a run
        that was trained on it cannot open it again by itself. Arrays that can be written to are copied, so that the
        fingerprint stays true.

        Raises:
            UserError: a split that has another name, no image, or images of another kind or shape than the first.

        >>> data = ImageData.from_arrays({"train": np.full((4, 1, 8, 8), 51, np.uint8)})
        >>> data.source, data.channel_means, len(data.split("train"))
        (None, [51.0], 4)
        """
        labels = labels or {}
        splits = {split: ImageSplit(part, labels.get(split)) for split, part in images.items()}
        _check_arrays(splits, labels)
        splits = {
            name: ImageSplit(_kept(one.images), None if one.labels is None else _kept(one.labels))
            for name, one in splits.items()
        }
        first = next(iter(splits.values()))
        channels, height, width = first.shape
        return cls(
            source=None,
            name=name,
            fingerprint=content_hash(splits),
            height=height,
            width=width,
            channels=channels,
            splits=splits,
            channel_means=splits.get("train", first).images.mean((0, 2, 3)).tolist(),
            skipped=0,
            label_names=label_names,
        )

    @cached_property
    def _whole(self) -> ImageSplit:
        """The images of all splits, in the source's order where it is known, else split after split."""
        splits = list(self.splits.values())
        order, rows = np.arange(sum(map(len, splits))), None
        known_rows = [split.rows for split in splits if split.rows is not None]
        if len(known_rows) == len(splits):
            rows = np.concatenate(known_rows)
            order = np.argsort(rows)
            rows = rows[order]
        labels = None
        if any(split.labels is not None for split in splits):
            known = [np.full(len(split), -1) if split.labels is None else split.labels for split in splits]
            labels = np.concatenate(known)[order]
        return ImageSplit(JoinedImages(tuple(split.images for split in splits), order), labels, rows)

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
        """The split called `name`, or with "all" every image in the source's order, which nothing is copied for.

        `UserError` naming the nearest one when there is none.

        >>> one = ImageSplit(np.zeros((1, 1, 8, 8), np.uint8), None)
        >>> ImageData("digits", "digits", "0a", 8, 8, 1, {"test": one}, [0.0], 0, None).split("tset")
        Traceback (most recent call last):
        spatialvae.errors.UserError: Split 'tset' is not known. Did you mean 'test'?
        """
        if name == WHOLE:
            return self._whole
        if name == "train" and name not in self.splits:
            raise UserError(
                f"'{self.name}' names only {' and '.join(self.splits)} images, and none to train on.\n"
                "Call those train as well (a folder train/, files train-*.parquet), or give the file or the folder of "
                "the images by its own path: then they are split anew."
            )
        if name not in self.splits:
            raise UserError(f"Split '{name}' is not known. {nearest(name, [*self.splits, WHOLE])}")
        return self.splits[name]

    @property
    def handed_over(self) -> str:
        """The split that this data is meant by when it is handed over whole: test if the source names one, else all.

        >>> whole = ImageData.from_arrays({"train": np.zeros((4, 1, 8, 8), np.uint8)})
        >>> whole.handed_over
        'all'
        """
        return WHOLE if "test" in self.carved or "test" not in self.splits else "test"


def _kept(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array, if it is read-only, else a read-only copy."""
    if not array.flags.writeable:
        return array
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _check_arrays(splits: Mapping[str, ImageSplit], labels: Mapping[str, npt.NDArray[np.int64]]) -> None:
    for name in (*splits, *labels):
        if name not in SPLITS or name not in splits:
            raise UserError(f"Split '{name}' is not known. {nearest(name, splits if name in SPLITS else SPLITS)}")
    if not splits:
        raise UserError("There are no images: give arrays for train, validation and test.")
    first = next(iter(splits.values()))
    for name, split in splits.items():
        shape, kind = split.pixels.shape, split.images.dtype
        if kind != np.uint8 or len(shape) != 4 or not 1 <= shape[1] <= 4 or not len(split):
            raise UserError(
                f"The {name} images are {kind} of shape {list(shape)}; uint8 (0 to 255) [N, C, H, W] is wanted, with "
                "1 to 4 channels and at least one image."
            )
        if split.shape != first.shape:
            raise UserError(f"The {name} images are {list(split.shape)}, others {list(first.shape)}: [C, H, W].")
        if split.labels is not None and (
            split.labels.shape != (len(split),) or split.labels.dtype != np.int64 or split.labels.min() < -1
        ):
            raise UserError(
                f"The {name} labels are {split.labels.dtype} of shape {list(split.labels.shape)}; int64 of shape "
                f"[{len(split)}] is wanted, classes from 0 and -1 for none."
            )


def content_hash(splits: Mapping[str, ImageSplit]) -> str:
    """128 bits, in hex, of names, shapes, pixels and labels."""
    digest = hashlib.sha256(b"arrays")
    for name, split in splits.items():
        digest.update(f"\n{name} {split.pixels.shape} {split.labels is not None}\n".encode())
        digest.update(np.ascontiguousarray(split.images).data)
        if split.labels is not None:
            digest.update(np.ascontiguousarray(split.labels).data)
    return digest.hexdigest()[:32]
