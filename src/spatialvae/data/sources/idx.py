"""idx files, gzipped or not: the format of the original MNIST files."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from spatialvae.data.sources.files import AbstractFileSource, first_bytes
from spatialvae.data.sources.source import Record
from spatialvae.data.splits import split_called
from spatialvae.errors import UserError

__all__ = ["IdxSource", "is_idx"]

NAME = re.compile(r"(?P<stem>.*?)(?P<what>images|labels)[-.]idx[13]-ubyte(\.gz)?")
SPLITS_BY_STEM = {
    "train": "train",
    "t10k": "test",
    "test": "test",
    "validation": "validation",
    "val": "validation",
}
ROWS = 1024  # read at a time


def is_idx(path: Path) -> bool:
    """Whether a file is an idx file of bytes, by its name or its start; of a folder, whether it has any."""
    if path.is_dir():  # by name only: opening each file of a large folder of pictures would be slow
        return any(NAME.fullmatch(file.name) for file in path.iterdir())
    return bool(NAME.fullmatch(path.name)) or first_bytes(path, 4) in (b"\0\0\x08\x03", b"\0\0\x08\x01")


@dataclass(frozen=True)
class _Pair:
    images: Path
    labels: Path | None
    split: str | None


class IdxSource(AbstractFileSource):
    """A folder of `train-images-idx3-ubyte.gz`, `t10k-labels-idx1-ubyte.gz` and so on, or one such file."""

    def __init__(self, path: Path) -> None:
        self.name = path.name.split(".")[0] if path.is_file() else path.resolve().name
        named = {} if path.is_file() else _one_of_each(path)
        images = [file for file in named.values() or [path] if not _holds_labels(file)]
        self._pairs = [_pair(file, named or _one_of_each(path.parent)) for file in images]
        # train before t10k whatever the alphabet says
        self._pairs.sort(key=lambda pair: (pair.split != "train", pair.images.name))
        if not self._pairs:
            raise UserError(f"'{path}' has idx files of labels only; a file of images (idx3) is wanted.")
        self.splits = frozenset(pair.split for pair in self._pairs if pair.split)
        if "train" in self.splits and any(pair.split is None for pair in self._pairs):
            raise UserError(f"'{path}' has idx files of no known split beside train. Give one file.")
        self.files = [
            ("" if path.is_file() else file.name, file)
            for pair in self._pairs
            for file in (pair.images, pair.labels)
            if file is not None
        ]
        self.total = sum(_count(pair.images) for pair in self._pairs)

    def records(self) -> Iterator[Record]:
        """Row by row, training images first."""
        for pair in self._pairs:
            labels = None if pair.labels is None else _read_labels(pair.labels, _count(pair.images))
            with _open(pair.images) as file:
                count, height, width = _header(file, 3, pair.images)
                for start in range(0, count, ROWS):
                    rows = min(ROWS, count - start)
                    block = np.frombuffer(_read(file, rows * height * width, pair.images), np.uint8)
                    for row, image in enumerate(block.reshape(rows, 1, height, width), start):
                        label = None if labels is None else labels[row]
                        yield Record(f"{pair.images.name} row {row}", image, label, pair.split)


def _holds_labels(path: Path) -> bool:
    match = NAME.fullmatch(path.name)
    return match["what"] == "labels" if match else first_bytes(path, 4) == b"\0\0\x08\x01"


def _one_of_each(folder: Path) -> dict[str, Path]:
    """`train-images` and so on to its file; the unpacked one where both are there."""
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if match := NAME.fullmatch(file.name):
            found.setdefault(match["stem"] + match["what"], file)
    return found


def _pair(images: Path, named: dict[str, Path]) -> _Pair:
    match = NAME.fullmatch(images.name)
    if match is None:
        return _Pair(images, None, None)
    labels = named.get(match["stem"] + "labels")
    return _Pair(images, labels, _split_of(match["stem"].strip("-_. ")))


def _split_of(stem: str) -> str | None:
    return "test" if stem == "t10k" else split_called(stem)


def _open(path: Path) -> IO[bytes]:
    # By content: a browser that unpacks a download may keep the suffix.
    return cast(IO[bytes], gzip.open(path)) if first_bytes(path, 2) == b"\x1f\x8b" else path.open("rb")


def _read(file: IO[bytes], count: int, path: Path) -> bytes:
    try:
        content = file.read(count)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is damaged: {error}") from error
    if len(content) != count:
        raise UserError(f"{path} is cut short: it ends before its last row.")
    return content


def _header(file: IO[bytes], axes: int, path: Path) -> tuple[int, ...]:
    magic = _read(file, 4, path)
    if magic != bytes((0, 0, 8, axes)):
        raise UserError(f"{path} is not an idx file of bytes with {axes} axes (its start: {magic.hex()}).")
    return struct.unpack(f">{axes}I", _read(file, 4 * axes, path))


def _count(path: Path) -> int:
    with _open(path) as file:
        return _header(file, 3, path)[0]


def _read_labels(path: Path, count: int) -> bytes:
    with _open(path) as file:
        (found,) = _header(file, 1, path)
        if found != count:
            raise UserError(f"{path} has {found} labels for {count} images.")
        return _read(file, found, path)
