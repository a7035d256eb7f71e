"""`digits`: 1797 real handwritten digits of 8x8 pixels that ship with scikit-learn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spatialvae.data.sources.source import SOURCES, AbstractSource, Record
from spatialvae.globals import globals_kept

__all__ = ["DigitsSource"]


@SOURCES.register("digits")
class DigitsSource(AbstractSource):
    """The handwritten digits of scikit-learn, grey values 0 to 16 scaled to 0 to 255."""

    def __init__(self) -> None:
        with globals_kept():
            from sklearn.datasets import load_digits

        values, labels = load_digits(return_X_y=True)
        self.name = "digits"
        self.images = np.round(np.asarray(values) * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
        self.labels = [int(label) for label in labels]
        self.label_names = [str(digit) for digit in range(10)]
        self.total = len(self.images)

    def identity(self, cache: Path) -> str:
        """Hash of the images and labels."""
        return f"digits {hashlib.sha256(self.images.tobytes() + bytes(self.labels)).hexdigest()}"

    def records(self) -> Iterator[Record]:
        """The digits in scikit-learn's order."""
        for row, (image, label) in enumerate(zip(self.images, self.labels, strict=True)):
            yield Record(f"digit {row}", image, label)
