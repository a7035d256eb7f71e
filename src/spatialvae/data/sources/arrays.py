"""`.npy` and `.npz` files of uint8 images, read row by row."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from spatialvae.data.sources.files import AbstractFileSource, printable
from spatialvae.data.sources.source import Record
from spatialvae.data.splits import split_called
from spatialvae.errors import UserError

__all__ = ["ArraySource", "channel_axis"]

ROW_BYTES = 2**24  # read at a time


def channel_axis(shape: Sequence[int], layout: str, where: str) -> int | None:
    """Which axis of an array of images holds the channels: 1, 3, or None for grey [N, H, W].

    With `layout` "auto" it is the one of 1 to 4 entries; `UserError` when that does not settle it.

    >>> channel_axis((10, 3, 32, 32), "auto", "a.npy"), channel_axis((10, 32, 32, 3), "auto", "a.npy")
    (1, 3)
    """
    spelled = "x".join(str(side) for side in shape)
    if len(shape) == 3:
        return None
    if len(shape) != 4:
        raise UserError(f"{where} has shape {spelled}: images are [N, H, W], [N, C, H, W] or [N, H, W, C].")
    fits = [axis for axis in (1, 3) if 1 <= shape[axis] <= 4]
    if layout != "auto":
        axis = 1 if layout == "nchw" else 3
        if axis not in fits:
            raise UserError(f"{where} has shape {spelled}: for `layout` {layout}, axis {axis} must be 1 to 4.")
        return axis
    if len(fits) != 1:
        which = "Both axes 1 and 3 could" if fits else "Neither axis 1 nor axis 3 can"
        raise UserError(
            f"{which} be the 1 to 4 channels of {where}, of shape {spelled}. Say which with `layout`: nchw or nhwc."
        )
    return fits[0]


@dataclass(frozen=True)
class _Array:
    """Images and labels of one split within the file; a key is "" in an `.npy` file."""

    images: str
    labels: str | None
    split: str | None


class ArraySource(AbstractFileSource):
    """An `.npy` file, or an `.npz` file with `images` (and `labels`), or `train_images` and so on."""

    def __init__(self, path: Path, layout: str) -> None:
        self.name, self.files = printable(path.stem), [("", path)]
        self._path, self._layout = path, layout
        self._arrays = [_Array("", None, None)] if path.suffix.lower() == ".npy" else self._members()
        self.named = {array.images: array.split for array in self._arrays}
        self.total = 0
        for array in self._arrays:
            with self._open(array.images) as file:
                shape, dtype, _ = _header(file, self._path)
            if dtype != np.uint8:
                raise UserError(f"{self._where(array.images)} holds {_kind(dtype)}; uint8 (0 to 255) is wanted.")
            self.total += shape[0]
            channel_axis(shape, layout, self._where(array.images))

    def _where(self, key: str) -> str:
        return f"'{key}' of {self._path}" if key else str(self._path)

    def _members(self) -> list[_Array]:
        try:
            with zipfile.ZipFile(self._path) as archive:
                keys = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        except (zipfile.BadZipFile, OSError) as error:
            raise UserError(f"{self._path} is not a readable .npz file: {error}") from error

        fitting = [key for key in keys if self._could_be_images(key)]
        chosen = [key for key in fitting if key.endswith("images")] or fitting
        splits = [split_called(key) for key in chosen]
        if len(chosen) != 1 and (not any(splits) or len(set(splits)) < len(splits)):
            raise UserError(
                f"{self._path} has {len(chosen)} arrays that could be images; call the one meant 'images', or one each "
                f"'train_images', 'test_images' (uint8, 3 or 4 axes). Its arrays: {', '.join(keys) or 'none'}."
            )
        return [_Array(key, _labels_of(key, keys), split) for key, split in zip(chosen, splits, strict=True)]

    def _could_be_images(self, key: str) -> bool:
        """By its axes and, unless its name says so, by its numbers: what is meant and wrong is refused later."""
        with self._open(key) as file:
            shape, dtype, _ = _header(file, self._path)
        return len(shape) in (3, 4) and (dtype == np.uint8 or key.endswith("images") or bool(split_called(key)))

    def _open(self, key: str) -> IO[bytes]:
        try:
            if not key:
                return self._path.open("rb")
            return zipfile.ZipFile(self._path).open(f"{key}.npy")
        except (zipfile.BadZipFile, OSError) as error:
            raise UserError(f"{self._path} cannot be read: {error}") from error

    def records(self) -> Iterator[Record]:
        """Row by row, array by array."""
        for array in self._arrays:
            labels = self._labels(array)
            for row, image in enumerate(self._rows(array.images)):
                name = f"{self._where(array.images)} row {row}"
                yield Record(name, image, None if labels is None else labels[row].item(), array.split)

    def _rows(self, key: str) -> Iterator[npt.NDArray[np.uint8]]:
        with self._open(key) as file:
            shape, _, fortran = _header(file, self._path)
            axis = channel_axis(shape, self._layout, self._where(key))
            for block in _blocks(file, shape, fortran, self._path):
                if axis is None:
                    block = block[:, None]
                yield from block.transpose(0, 3, 1, 2) if axis == 3 else block

    def _labels(self, array: _Array) -> npt.NDArray[Any] | None:
        if array.labels is None:
            return None
        with self._open(array.images) as file:
            count = _header(file, self._path)[0][0]
        with self._open(array.labels) as file:
            try:
                labels = np.lib.format.read_array(file, allow_pickle=False)
            except (ValueError, EOFError) as error:
                raise UserError(f"'{array.labels}' of {self._path} cannot be read: {error}") from error
        if labels.size != count or labels.shape[:1] != (count,) or labels.dtype.kind not in "iubfUS":
            raise UserError(
                f"'{array.labels}' of {self._path} is {labels.dtype} of shape {list(labels.shape)}; "
                f"whole numbers or text of shape [{count}] are wanted, one for each image."
            )
        return labels.reshape(count)


def _labels_of(key: str, keys: Sequence[str]) -> str | None:
    """The array of labels that goes with one of images: `test_labels` with `test_images`, `y_test` with `x_test`."""
    names = [
        key.replace("images", "labels"),
        re.sub(r"(?i)^x(?=_)", "y", key),
        *([] if split_called(key) else ["labels"]),
    ]
    return next((name for name in names if name in keys and name != key), None)


def _kind(dtype: np.dtype) -> str:
    return "pickled Python objects" if dtype.hasobject else str(dtype)


def _header(file: IO[bytes], path: Path) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Shape, dtype and whether the order is Fortran's; leaves `file` at the first value. Loads no object."""
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not a readable NumPy file: {str(error).splitlines()[0]}") from error
    return shape, dtype, fortran


def _blocks(file: IO[bytes], shape: tuple[int, ...], fortran: bool, path: Path) -> Iterator[npt.NDArray[np.uint8]]:
    image_bytes = int(np.prod(shape[1:]))
    if fortran:  # the images lie interleaved: no way but to read them all
        yield np.frombuffer(_read(file, shape[0] * image_bytes, path), np.uint8).reshape(shape, order="F")
        return
    at_once = max(1, ROW_BYTES // max(1, image_bytes))
    for start in range(0, shape[0], at_once):
        rows = min(at_once, shape[0] - start)
        yield np.frombuffer(_read(file, rows * image_bytes, path), np.uint8).reshape(rows, *shape[1:])


def _read(file: IO[bytes], count: int, path: Path) -> bytes:
    try:
        content = file.read(count)
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged: {error}") from error
    if len(content) != count:
        raise UserError(f"{path} is cut short: it ends before the last image.")
    return content
