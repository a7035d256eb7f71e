"""Writes the images of one split as they come, so that a split larger than memory can be prepared."""

from __future__ import annotations

import struct
from array import array
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["SplitWriter"]

HEADER_BYTES = 128  # a multiple of 64, as the format asks, with room for any shape


class SplitWriter:
    """Appends images of one shape to `<split>.images.npy`; their labels and rows to `.labels.npy` and `.rows.npy`.

    The number of images is known only at the end, so the header is written last, over blank bytes.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.count = 0
        self.sums: npt.NDArray[np.float64] = np.zeros(1)
        self._shape: tuple[int, ...] = ()
        self._labels_path = folder / f"{name}.labels.npy"
        self._labels, self._rows = array("q"), array("q")
        self._rows_path = folder / f"{name}.rows.npy"
        self._file = (folder / f"{name}.images.npy").open("wb")
        self._file.write(bytes(HEADER_BYTES))

    def add(self, image: npt.NDArray[np.uint8], label: int, row: int) -> None:
        """Append one image [C, H, W], its label as `LabelTable.code` numbers it, and its position in the source."""
        self._shape = image.shape
        self._file.write(np.ascontiguousarray(image).data)
        self.sums = self.sums + image.sum(axis=(1, 2), dtype=np.float64)
        self.count += 1
        self._rows.append(row)
        self._labels.append(label)

    def finish(self, places: npt.NDArray[np.int64]) -> dict[str, object]:
        """Write the header, the rows and, when any image has one, the labels; what `info.json` says of the split.

        `places` are those of `LabelTable.finish`.
        """
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {(self.count, *self._shape)}, }}"
        self._file.seek(0)
        self._file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", HEADER_BYTES - 10))
        self._file.write(header.encode().ljust(HEADER_BYTES - 11) + b"\n")
        self.close()
        np.save(self._rows_path, np.asarray(self._rows, dtype=np.int64), allow_pickle=False)
        labels = places[np.asarray(self._labels, dtype=np.int64)]
        labelled = bool((labels >= 0).any())
        if labelled:
            np.save(self._labels_path, labels, allow_pickle=False)
        return {"count": self.count, "labels": labelled}

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._file.close()
