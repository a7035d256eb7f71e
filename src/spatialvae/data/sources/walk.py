"""What lies below a folder: the one rule of which files are pictures, for training and for use."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from spatialvae.data.sources.files import first_bytes, printable
from spatialvae.errors import UserError

__all__ = ["PICTURE_SUFFIXES", "Below", "look_below", "looks_like_picture"]

PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".j2c", ".jpx", ".jpf", ".jpc", ".avif", ".heic", ".heif"),
)
# Never opened, whatever their first bytes happen to be.
OTHER_SUFFIXES = (
    *(".txt", ".md", ".json", ".jsonl", ".csv", ".tsv", ".html", ".htm", ".xml", ".yaml", ".yml"),
    *(".py", ".js", ".css", ".log", ".ini", ".zip", ".gz", ".tar", ".pdf", ".db", ".parquet"),
    # Raw photographs are TIFF by their first bytes, and what a reader of TIFF finds in them is a thumbnail.
    *(".dng", ".nef", ".nrw", ".cr2", ".arw", ".sr2", ".srf", ".orf", ".pef", ".srw", ".rw2", ".3fr", ".iiq", ".kdc"),
)
HIDDEN_TOO = ("__MACOSX",)  # what a Mac adds to an archive


@dataclass(frozen=True)
class Below:
    """The pictures and parquet files below a folder, by their path from there, and how many others, by suffix."""

    pictures: Mapping[str, Path]
    tables: Mapping[str, Path]
    passed_over: Mapping[str, int]

    @property
    def beside_pictures(self) -> dict[str, int]:
        """What is passed over where the pictures are taken: parquet files too."""
        return {**self.passed_over, **({".parquet": len(self.tables)} if self.tables else {})}


def look_below(folder: Path) -> Below:
    """Every file below `folder`, in the order of the paths; hidden files and folders do not count.

    Links are followed, except that no folder is read twice: one that lies below counts where it lies.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("a.png", "b.jxl", ".c.png"):
    ...     _ = (folder / name).write_bytes(b"")
    >>> below = look_below(folder)
    >>> list(below.pictures), dict(below.passed_over)
    (['a.png'], {'.jxl': 1})
    """
    entries = [(path.relative_to(folder).as_posix(), path) for path in _walk(folder)]
    pictures: dict[str, Path] = {}
    tables: dict[str, Path] = {}
    others: Counter[str] = Counter()
    for name, path in sorted(entries, key=lambda pair: PurePosixPath(pair[0]).parts):
        if path.suffix.lower() == ".parquet":
            tables[name] = path
        elif looks_like_picture(path):
            pictures[name] = path
        else:
            others[printable(path.suffix.lower()) or "without a suffix"] += 1
    return Below(pictures, tables, others)


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


def _walk(folder: Path) -> Iterator[Path]:
    """Files that are not hidden; first all that lie below, then what links lead to."""
    root = os.path.realpath(folder)
    linked: list[Path] = []
    seen: set[str] = set()
    waiting = [folder]
    while waiting:
        place = waiting.pop(0)
        real = os.path.realpath(place)
        around = place is not folder and os.path.commonpath([root, real]) == real  # a folder that this one lies in
        for entry in [] if around or real in seen else _entries(place):
            path = place / entry.name
            if entry.is_symlink():
                if path.is_dir():
                    linked.append(path)
                elif path.is_file() or not path.exists():  # a broken link is a bad picture, a pipe is nothing
                    yield path
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif entry.is_file(follow_symlinks=False):
                yield path
        seen.add(real)
        if not waiting and linked:
            waiting.append(linked.pop(0))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"The folder '{folder}' cannot be read: {error.strerror or error}.") from error
    return [entry for entry in entries if not entry.name.startswith(".") and entry.name not in HIDDEN_TOO]
