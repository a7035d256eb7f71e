"""Takes the images of one split as they come: into files, so that a split may be larger than memory, or into memory."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from array import array
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spatialvae.data.dataset import ImageSplit
from spatialvae.data.description import SplitDescription

__all__ = ["AbstractWriter", "FileWriter", "MemoryWriter"]

HEADER_BYTES = 128  # a multiple of 64, as the format asks, with room for any shape


class AbstractWriter(ABC):
    """Takes images of one shape with their labels and rows; `count` of them so far, of these `sums` by channel."""

    def __init__(self) -> None:
        self.count = 0
        self.sums: npt.NDArray[np.float64] = np.zeros(1)
        self._labels, self._rows = array("q"), array("q")

    def add(self, image: npt.NDArray[np.uint8], label: int, row: int) -> None:
        """Append one image [C, H, W], its label as `LabelTable.code` numbers it, and its position in the source."""
        self._append(image)
        self.sums = self.sums + image.sum(axis=(1, 2), dtype=np.float64)
        self.count += 1
        self._rows.append(row)
        self._labels.append(label)

    def finish(self, places: npt.NDArray[np.int64]) -> SplitDescription:
        """Complete the images, the rows and, when any image has one, the labels.

        `places` are those of `LabelTable.finish`.
        """
        labels = places[np.asarray(self._labels, dtype=np.int64)]
        labelled = bool((labels >= 0).any())
        self._complete(labels if labelled else None, np.asarray(self._rows, dtype=np.int64))
        return SplitDescription(self.count, labelled)

    @abstractmethod
    def _append(self, image: npt.NDArray[np.uint8]) -> None: ...

    @abstractmethod
    def _complete(self, labels: npt.NDArray[np.int64] | None, rows: npt.NDArray[np.int64]) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Let go of what is held open; safe to call twice."""


class FileWriter(AbstractWriter):
    """Appends images to `<split>.images.npy`; their labels and rows to `.labels.npy` and `.rows.npy`.

    The number of images is known only at the end, so the header is written last, over blank bytes.
    """

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__()
        self._shape: tuple[int, ...] = ()
        self._labels_path = folder / f"{name}.labels.npy"
        self._rows_path = folder / f"{name}.rows.npy"
        self._file = (folder / f"{name}.images.npy").open("wb")
        self._file.write(bytes(HEADER_BYTES))

    def _append(self, image: npt.NDArray[np.uint8]) -> None:
        self._shape = image.shape
        self._file.write(np.ascontiguousarray(image).data)

    def _complete(self, labels: npt.NDArray[np.int64] | None, rows: npt.NDArray[np.int64]) -> None:
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {(self.count, *self._shape)}, }}"
        self._file.seek(0)
        self._file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", HEADER_BYTES - 10))
        self._file.write(header.encode().ljust(HEADER_BYTES - 11) + b"\n")
        self.close()
        np.save(self._rows_path, rows, allow_pickle=False)
        if labels is not None:
            np.save(self._labels_path, labels, allow_pickle=False)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._file.close()


class MemoryWriter(AbstractWriter):
    """Keeps the images in memory; `split` holds them, read-only, once all are there."""

    split: ImageSplit

    def __init__(self) -> None:
        super().__init__()
        self._images: list[npt.NDArray[np.uint8]] = []

    def _append(self, image: npt.NDArray[np.uint8]) -> None:
        self._images.append(image)

    def _complete(self, labels: npt.NDArray[np.int64] | None, rows: npt.NDArray[np.int64]) -> None:
        images = np.stack(self._images)
        self.close()
        for values in (images, rows, *(() if labels is None else (labels,))):
            values.flags.writeable = False
        self.split = ImageSplit(images, labels, rows)

    def close(self) -> None:
        """Let go of the single images."""
        self._images.clear()
