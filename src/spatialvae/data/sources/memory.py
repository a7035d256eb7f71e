"""Images that a program holds: arrays, tensors, and data sets that give one item after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from spatialvae.data.sources.arrays import channel_axis
from spatialvae.data.sources.source import AbstractImages, Record
from spatialvae.data.value_range import ValueRange, range_of
from spatialvae.errors import UserError

__all__ = ["Item", "MemoryImages", "Part", "part_of"]

Item = tuple[npt.NDArray[Any] | Image.Image, Any]
"""An image, [C, H, W] or of Pillow, and its label or None."""
RULE = "arrays or tensors [N, H, W], [N, C, H, W] or [N, H, W, C], or a data set whose items are an image or a pair"


@dataclass(frozen=True)
class Part:
    """The images of one split: `items` starts anew at each call."""

    items: Callable[[], Iterator[Item]]
    count: int | None


class MemoryImages(AbstractImages):
    """Parts by name, each with its split, or None where nothing names one."""

    def __init__(
        self,
        parts: Mapping[str, tuple[Part, str | None]],
        *,
        name: str,
        label_names: Sequence[str] = (),
        value_range: ValueRange | None = None,
    ) -> None:
        self.name, self.label_names, self._parts = name, label_names, parts
        self.named = {key: split for key, (_, split) in parts.items()}
        counts = [part.count for part, _ in parts.values()]
        self.total = None if None in counts else sum(count or 0 for count in counts)
        self._given = value_range
        self._range = value_range or range_of(self._floats(), name)

    def _floats(self) -> Iterator[npt.NDArray[Any]]:
        """The arrays of the parts that begin with one that is no uint8; the others need not be gone through."""
        for part, _ in self._parts.values():
            first, _ = next(part.items(), (None, None))
            if isinstance(first, np.ndarray) and first.dtype != np.uint8:
                yield from (image for image, _ in part.items() if isinstance(image, np.ndarray))

    def records(self) -> Iterator[Record]:
        """Part by part, in order."""
        for key, (part, split) in self._parts.items():
            for row, (image, label) in enumerate(part.items()):
                name = f"image {row} of {key}"
                yield Record(name, self._content(image, name), label, split)

    def _content(self, image: npt.NDArray[Any] | Image.Image, name: str) -> npt.NDArray[np.uint8] | Image.Image:
        if isinstance(image, Image.Image) or (image.dtype == np.uint8 and self._given is None):
            return image
        if self._range is None:
            raise UserError(f"{name} holds {image.dtype}, the first of its part bytes: give all images alike.")
        return self._range.as_bytes(image, name)


def part_of(images: object, labels: object, layout: str, where: str) -> Part:
    """The part that an array, a tensor, or anything that gives items makes.

    Args:
        images: the images; a data set may give pairs (image, label).
        labels: a label for each image, or None.
        layout: axis order of arrays, "auto", "nchw" or "nhwc".
        where: what the images are called in messages.

    Raises:
        UserError: something that holds no images, or not one label for each.
    """
    values = _array(images)
    if values is None:
        return _items_part(images, labels, layout, where)
    moved = channels_first(values, layout, where)
    known = [None] * len(moved) if labels is None else _labels(labels, len(moved), where)
    return Part(lambda: zip(iter(moved), known, strict=True), len(moved))


def channels_first(values: npt.NDArray[Any], layout: str, where: str) -> npt.NDArray[Any]:
    """Images [N, H, W], [N, C, H, W] or [N, H, W, C] as [N, C, H, W], a view; `UserError` for other shapes."""
    axis = channel_axis(values.shape, layout, where)
    return values[:, None] if axis is None else values.transpose(0, 3, 1, 2) if axis == 3 else values


def _items_part(images: object, labels: object, layout: str, where: str) -> Part:
    kind = type(images).__name__
    if isinstance(images, DataLoader):
        raise UserError(f"{where}: a DataLoader gives batches. Give its data set, loader.dataset.")
    indexed = hasattr(images, "__getitem__") and not isinstance(images, IterableDataset)  # which has one that fails
    if isinstance(images, str | bytes | Mapping) or not (indexed or hasattr(images, "__iter__")):
        raise UserError(f"{where}: images cannot be made of a {kind}. Give {RULE} (image, label).")
    if isinstance(images, Iterator):
        raise UserError(f"{where}: a {kind} can be gone through only once. Give a list, a data set or an array.")
    count = len(images) if hasattr(images, "__len__") else None  # type: ignore[arg-type]
    known = None if labels is None else _labels(labels, count, where)

    def items() -> Iterator[Item]:
        whole = count is not None and indexed
        stream = (images[row] for row in range(count or 0)) if whole else iter(images)  # type: ignore[index,call-overload]
        row = -1
        for row, item in enumerate(stream):
            image, label = _item(item, layout, f"image {row} of {where}")
            if known is not None and row == len(known):
                raise UserError(f"{where} has more images than its {len(known)} labels: give one for each image.")
            yield image, label if known is None else known[row]
        if known is not None and row + 1 < len(known):
            raise UserError(f"{where} has {row + 1} images and {len(known)} labels: give one for each image.")

    return Part(items, count)


def _item(item: object, layout: str, where: str) -> Item:
    """One item of a data set: an image, or a tuple of an image and maybe its label."""
    label: Any = None
    if isinstance(item, tuple | list):
        if not 1 <= len(item) <= 2:
            raise UserError(f"{where} is a {type(item).__name__} of {len(item)}: an image or (image, label) is wanted.")
        item, label = item[0], item[1] if len(item) == 2 else None
    if isinstance(item, Image.Image):
        return item, _label(label, where)
    values = _array(item)
    if values is None:
        raise UserError(f"{where} is a {type(item).__name__}: an array, a tensor or a picture of Pillow is wanted.")
    if values.ndim not in (2, 3):
        raise UserError(f"{where} has shape {list(values.shape)}: [H, W], [C, H, W] or [H, W, C] is wanted.")
    return channels_first(values[None], layout, where)[0], _label(label, where)


def _array(values: object) -> npt.NDArray[Any] | None:
    """The array behind an array or a tensor of any library; None for other things."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    if isinstance(values, Image.Image) or not hasattr(values, "__array__"):
        return None
    return np.asarray(values)


def _label(label: object, where: str) -> Any:
    """A label as a plain number or text."""
    values = _array(label)
    if values is None:
        return label
    if values.size != 1:
        raise UserError(f"The label of {where} has shape {list(values.shape)}: one whole number or text is wanted.")
    return values.item()


def _labels(labels: Any, count: int | None, where: str) -> list[Any]:
    values = _array(labels)
    values = np.asarray(labels, object) if values is None else values
    one_each = values.ndim > 0 and values.size == len(values) and count in (None, len(values))
    if not one_each or values.dtype.kind not in "iubfUSO":
        wanted = "N" if count is None else count
        raise UserError(
            f"The labels of {where} are {values.dtype} of shape {list(values.shape)}; whole numbers or text of shape "
            f"[{wanted}] are wanted, one for each image."
        )
    return values.reshape(-1).tolist()
