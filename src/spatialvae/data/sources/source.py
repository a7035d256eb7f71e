"""What every source of images offers: its images one after the other, and an identity."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL import Image

from spatialvae.data.options import ImageOptions
from spatialvae.data.picture import BadImage, Picture, array_pixels, picture_pixels, read_picture
from spatialvae.registry import Registry

__all__ = ["SOURCES", "AbstractImages", "AbstractSource", "Record"]


@dataclass(frozen=True, slots=True)
class Record:
    """One image as the source has it: encoded bytes, the file that holds them, raw uint8 [C, H, W], or Pillow's.

    `name` is for messages; `split` is the one the source names, if any; `content` None: no picture there. `label` is
    what `class_name` reads: a class's name, or a number, a place in the source's `label_names` where it has them.
    """

    name: str
    content: bytes | Path | npt.NDArray[np.uint8] | Image.Image | None
    label: int | float | str | bytes | None = None
    split: str | None = None

    def picture(self, options: ImageOptions, channels: int | None) -> Picture:
        """The image upright, cropped and resized; `BadImage` when there is none, or one that cannot be used."""
        if self.content is None:
            raise BadImage("there is no picture in this row")
        if isinstance(self.content, np.ndarray):
            return Picture(array_pixels(self.content, options, channels))
        if isinstance(self.content, Image.Image):
            return Picture(picture_pixels(self.content, options, channels))
        if isinstance(self.content, bytes):
            return read_picture(self.content, options, channels)
        try:
            content = self.content.read_bytes()
        except OSError as error:
            raise BadImage(f"cannot be read: {error.strerror or error}") from None
        return read_picture(content, options, channels)


class AbstractImages(ABC):
    """Images that can be gone through from the first to the last, more than once.

    `named` are the things that they are made of (files, arrays, parts) with the split that the name of each says, if
    any; `passed_over` counts what was left out, by kind; `label_names` are the classes that are declared, in the order
    of their numbers; `total` is the number of images where known.
    """

    name: str
    named: Mapping[str, str | None] = MappingProxyType({})
    passed_over: Mapping[str, int] = MappingProxyType({})
    label_names: Sequence[str] = ()
    total: int | None = None

    @abstractmethod
    def records(self) -> Iterator[Record]:
        """The images in the source's order; the same at every call."""


class AbstractSource(AbstractImages):
    """A source of images that the cache can tell from others before it reads them.

    `implied` are options that the source wants where the user leaves them at their defaults.
    """

    implied: ImageOptions = ImageOptions()

    @abstractmethod
    def identity(self, cache: Path) -> str:
        """Text that changes whenever an image, a label, a split or the order of the source changes."""

    def signature(self) -> str:
        """Text that changes, cheaply, when the source changes while it is read."""
        return ""


SOURCES: Registry[AbstractSource] = Registry("source")
"""Sources by name; `open_source` also takes `hub:OWNER/NAME` and paths."""
