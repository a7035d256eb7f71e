"""idx files, gzipped or not: the format of the original MNIST files."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from spatialvae.data.sources.files import AbstractFileSource, first_bytes, printable
from spatialvae.data.sources.source import Record
from spatialvae.data.splits import split_called, without_words
from spatialvae.errors import UserError

__all__ = ["IdxSource", "is_idx"]

# MNIST, EMNIST: train-images-idx3-ubyte; Kannada-MNIST: X_train-idx3-ubyte; QMNIST's labels: test-labels-idx2-int
NAME = re.compile(r"(?P<stem>[^.].*)[-.](?P<kind>idx3-ubyte|idx1-ubyte|idx2-int)(\.gz)?")
WHAT = re.compile(r"images|imgs|labels|^[xy](?=_)", re.IGNORECASE)
TYPES = {8: "bytes", 12: "integers"}
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
        self.name = printable(path.name.split(".")[0] if path.is_file() else path.resolve().name)
        named = {} if path.is_file() else _one_of_each(path)
        images = [file for file in named.values() or [path] if not _holds_labels(file)]
        beside = named or _one_of_each(path.parent)
        # A file given by its own path is taken for what it holds, whatever its name.
        self._pairs = [
            _Pair(file, _labels_of(file, beside), split_called(file.name) if named else None) for file in images
        ]
        # train before t10k whatever the alphabet says
        self._pairs.sort(key=lambda pair: (pair.split != "train", pair.images.name))
        if not self._pairs:
            raise UserError(f"'{path}' has idx files of labels only; a file of images (idx3) is wanted.")
        sets = sorted({without_words(_key(file)) for file in images})
        if len(sets) > 1:
            raise UserError(
                f"'{path}' has idx files of {len(sets)} data sets ({', '.join(sets[:3])}{', ...' * (len(sets) > 3)}): "
                "give one file, or a folder with the files of only one."
            )
        self.named = {printable(pair.images.name): pair.split for pair in self._pairs}
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
    return match["kind"] != "idx3-ubyte" if match else first_bytes(path, 4) == b"\0\0\x08\x01"


def _one_of_each(folder: Path) -> dict[str, Path]:
    """Name without suffix to file; the unpacked one where both are there."""
    files: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if match := NAME.fullmatch(file.name):
            files.setdefault(match["stem"] + match["kind"], file)
    return files


def _key(path: Path) -> str:
    """What the names of a file of images and its file of labels have in common."""
    match = NAME.fullmatch(path.name)
    return WHAT.sub("", match["stem"]) if match else ""


def _labels_of(images: Path, beside: dict[str, Path]) -> Path | None:
    if not NAME.fullmatch(images.name):
        return None
    return next((file for file in beside.values() if _holds_labels(file) and _key(file) == _key(images)), None)


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


def _header(file: IO[bytes], axes: int, path: Path, code: int = 8) -> tuple[int, ...]:
    magic = _read(file, 4, path)
    if magic != bytes((0, 0, code, axes)):
        raise UserError(f"{path} is not an idx file of {TYPES[code]} with {axes} axes (its start: {magic.hex()}).")
    return struct.unpack(f">{axes}I", _read(file, 4 * axes, path))


def _count(path: Path) -> int:
    with _open(path) as file:
        return _header(file, 3, path)[0]


def _read_labels(path: Path, count: int) -> Sequence[int]:
    with _open(path) as file:
        if "idx2-int" in path.name:  # the label is the first of several numbers a row
            rows, columns = _header(file, 2, path, code=12)
            labels = np.frombuffer(_read(file, 4 * rows * columns, path), ">i4").reshape(rows, columns)[:, 0].tolist()
        else:
            (rows,) = _header(file, 1, path)
            labels = list(_read(file, rows, path))
    if rows != count:
        raise UserError(f"{path} has {rows} labels for {count} images.")
    return labels
