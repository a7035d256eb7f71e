"""A folder of pictures, nested or not, as people have them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from spatialvae.data.sources.files import AbstractFileSource, first_bytes
from spatialvae.data.sources.source import Record
from spatialvae.data.splits import split_called
from spatialvae.errors import UserError

__all__ = ["FolderSource", "looks_like_picture"]

PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif", ".heic", ".heif"),
)
# Never opened, whatever their first bytes happen to be.
OTHER_SUFFIXES = (
    *(".txt", ".md", ".json", ".jsonl", ".csv", ".tsv", ".html", ".htm", ".xml", ".yaml", ".yml"),
    *(".py", ".js", ".css", ".log", ".ini", ".zip", ".gz", ".tar", ".pdf", ".db"),
)


def looks_like_picture(path: Path) -> bool:
    """Whether a file is meant as a picture: by its suffix, or, with no telling suffix, by its first bytes."""
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return True
    return suffix not in OTHER_SUFFIXES and _starts_like_picture(first_bytes(path, 16))


def _starts_like_picture(head: bytes) -> bool:
    """
    >>> _starts_like_picture(b"GIF89a" + bytes(10)), _starts_like_picture(b"BM is how this text starts")
    (True, False)
    """
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")):
        return True
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    avif = head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis")
    bitmap = head[:2] == b"BM" and head[6:10] == bytes(4)  # four reserved bytes tell it from text
    return webp or avif or bitmap


class FolderSource(AbstractFileSource):
    """All pictures below a folder; with a `train/` in it, `train/`, `validation/` and `test/` are its splits.

    Hidden files and files that are not pictures are passed over. Labels are the names of the folders when
    no picture lies more than one folder deep (inside its split) and there are two such folders or more.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.resolve().name
        pictures = [file for file in _walk(path, ()) if looks_like_picture(file)]
        found = [(file.relative_to(path).as_posix(), file) for file in pictures]
        self.files = sorted(found, key=lambda pair: PurePosixPath(pair[0]).parts)
        self.total = len(self.files)
        if not self.files:
            raise UserError(
                f"The folder '{path}' has no pictures ({', '.join(PICTURE_SUFFIXES[:5])}, ...), parquet or "
                "idx files, and is no saved data set. Give an .npy or .npz file by its own path."
            )
        said = {name: _top_split(name) for name, _ in self.files}
        if "train" not in said.values():
            said = dict.fromkeys(said)
        self._split_of = said
        self.splits = frozenset(split for split in said.values() if split)
        loose = [name for name, split in said.items() if split is None]
        if self.splits and loose:
            raise UserError(
                f"'{path}' has a train folder, and {len(loose)} pictures outside of train, validation and "
                f"test, for instance {loose[0]}.\nMove them into one of these, or give one folder."
            )
        self._find_labels()

    def _find_labels(self) -> None:
        depth = 1 if self.splits else 0
        folders = [PurePosixPath(name).parts[depth:-1] for name, _ in self.files]
        labelled = len({parts[:1] for parts in folders if parts}) > 1 and all(len(parts) <= 1 for parts in folders)
        self._labels = [parts[0] if labelled and parts else None for parts in folders]

    def records(self) -> Iterator[Record]:
        """Picture by picture in the order of their paths."""
        for (name, path), label in zip(self.files, self._labels, strict=True):
            yield Record(name, path, label, self._split_of[name])


def _top_split(name: str) -> str | None:
    parts = PurePosixPath(name).parts
    return split_called(parts[0]) if len(parts) > 1 else None


def _walk(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    """Files below a folder; links are followed, except to a folder that this one lies in."""
    place = os.path.realpath(folder)
    if place in above:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"The folder '{folder}' cannot be read: {error.strerror or error}.") from error
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        path = folder / entry.name
        if entry.is_dir():
            yield from _walk(path, (*above, place))
        elif entry.is_file() or (entry.is_symlink() and not path.exists()):  # a broken link is a bad picture
            yield path
