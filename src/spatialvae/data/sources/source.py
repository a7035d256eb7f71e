"""What every source of images has to offer: an identity, and its images one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from spatialvae.data.picture import BadImage

__all__ = ["AbstractSource", "Record"]


@dataclass(frozen=True, slots=True)
class Record:
    """One image as the source has it: encoded bytes, the file that holds them, or raw uint8 [C, H, W].

    `name` is for messages; `split` is the one the source names, if any; `content` None: no picture there. `label` is
    what `class_name` reads: a class's name, or a number, a place in the source's `label_names` where it has them.
    """

    name: str
    content: bytes | Path | npt.NDArray[np.uint8] | None
    label: int | float | str | bytes | None = None
    split: str | None = None

    def read(self) -> bytes | npt.NDArray[np.uint8]:
        """The content itself; `BadImage` when there is none."""
        if self.content is None:
            raise BadImage("there is no picture in this row")
        if not isinstance(self.content, Path):
            return self.content
        try:
            return self.content.read_bytes()
        except OSError as error:
            raise BadImage(f"cannot be read: {error.strerror or error}") from None


class AbstractSource(ABC):
    """A source of images.

    `named` are the things it is made of (files, arrays, parts) with the split that the name of each says, if any;
    `passed_over` counts what was left out, by kind; `label_names` are the classes that it declares, in the order of
    their numbers; `total` is the number of images where known.
    """

    name: str
    named: Mapping[str, str | None] = MappingProxyType({})
    passed_over: Mapping[str, int] = MappingProxyType({})
    label_names: Sequence[str] = ()
    total: int | None = None

    @abstractmethod
    def identity(self, cache: Path) -> str:
        """Text that changes whenever an image, a label, a split or the order of the source changes."""

    @abstractmethod
    def records(self) -> Iterator[Record]:
        """The images in the source's order; the same at every call."""

    def signature(self) -> str:
        """Text that changes, cheaply, when the source changes while it is read."""
        return ""
