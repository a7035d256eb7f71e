"""Where prepared images live: one folder an entry, named by fingerprint, put in place in one step."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spatialvae import records
from spatialvae.data.dataset import ImageSplit
from spatialvae.data.description import Description
from spatialvae.data.options import ImageOptions
from spatialvae.errors import UserError

__all__ = [
    "Entry",
    "default_cache",
    "fingerprint_of",
    "new_entry",
    "publish",
    "read_entry",
    "unwritable",
    "write_description",
]

FORMAT = 2  # raise it whenever the same source and options give other bytes

ABANDONED = 3 * 24 * 3600.0  # seconds without a write


def default_cache() -> Path:
    """$SPATIALVAE_CACHE, or the folder `spatialvae` in the place where this system keeps caches."""
    if chosen := os.environ.get("SPATIALVAE_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "spatialvae"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "spatialvae"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spatialvae"


def fingerprint_of(identity: str, options: ImageOptions) -> str:
    """128 bits, in hex, of all that decides the prepared bytes: format, options, content of the source.

    >>> fingerprint_of("a", ImageOptions()) == fingerprint_of("a", ImageOptions(crop="center"))
    False
    """
    content = json.dumps({"format": FORMAT, "options": asdict(options), "identity": identity}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


@contextmanager
def new_entry(root: Path) -> Iterator[Path]:
    """A fresh folder beside the entries, removed on leaving unless it was published.

    `UserError` when the cache cannot be written.
    """
    folder: Path | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(root)
        folder = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
        yield folder
    except OSError as error:
        raise unwritable(root, error) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def unwritable(folder: Path, error: Exception) -> UserError:
    """What to tell a user whose cache cannot be written.

    >>> print(unwritable(Path("/cache"), OSError(28, "No space left on device")))
    The cache /cache cannot be written: No space left on device.
    Set the environment variable SPATIALVAE_CACHE to a folder with room.
    """
    reason = getattr(error, "strerror", None) or error
    return UserError(
        f"The cache {folder} cannot be written: {reason}.\n"
        "Set the environment variable SPATIALVAE_CACHE to a folder with room."
    )


def _remove_abandoned(root: Path) -> None:
    """Folders of processes that were killed: nothing was written there for days."""
    for folder in root.glob(".new-*"):
        try:
            newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
        except OSError:
            continue  # another process is at it
        if newest < time.time() - ABANDONED:
            shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, entry: Path) -> None:
    """Rename `folder` to `entry`; if another process was first and its entry is whole, that one stays."""
    for _ in range(10):
        try:
            os.rename(folder, entry)
            return
        except OSError:
            if not entry.exists():
                raise
        if read_entry(entry) is not None:
            return
        with tempfile.TemporaryDirectory(prefix=".old-", dir=entry.parent, ignore_cleanup_errors=True) as aside:
            try:
                os.rename(entry, Path(aside) / "entry")
            except FileNotFoundError:
                continue  # another process moved it first
    raise UserError(f"The cache entry {entry} is damaged and cannot be replaced. Remove it.")


@dataclass(frozen=True)
class Entry:
    """A whole entry: what `info.json` says of it, and its splits, memory-mapped."""

    description: Description
    splits: dict[str, ImageSplit]


@dataclass(frozen=True)
class _Stamp:
    """By what an entry is known: the format of its files, and the fingerprint, which is the folder's name too."""

    format: int
    fingerprint: str


def write_description(folder: Path, fingerprint: str, description: Description) -> None:
    """Write `info.json`, which makes the arrays of a folder an entry."""
    info = {**records.as_json(description), **records.as_json(_Stamp(FORMAT, fingerprint))}
    (folder / "info.json").write_text(json.dumps(info))


def read_entry(path: Path) -> Entry | None:
    """The entry in a folder, or None when it is missing, partial or damaged."""
    try:
        info = path / "info.json"
        if records.read(_Stamp, info) != _Stamp(FORMAT, path.name):
            return None
        description = records.read(Description, info)
        return Entry(description, {name: _read_split(path, name, description) for name in description.splits})
    except (OSError, ValueError):
        return None


def _read_split(entry: Path, name: str, description: Description) -> ImageSplit:
    split = description.splits[name]
    images = np.load(entry / f"{name}.images.npy", mmap_mode="r", allow_pickle=False)
    shape = (split.count, description.channels, description.height, description.width)
    if images.shape != shape or images.dtype != np.uint8:
        raise ValueError("not the images that info.json describes")
    labels = _read_integers(entry / f"{name}.labels.npy", split.count) if split.labels else None
    # Views as plain arrays: indexing a memmap object itself costs much more per call.
    return ImageSplit(images.view(np.ndarray), labels, _read_integers(entry / f"{name}.rows.npy", split.count))


def _read_integers(path: Path, count: int) -> npt.NDArray[np.int64]:
    values = np.load(path, mmap_mode="r", allow_pickle=False)
    if values.shape != (count,) or values.dtype != np.int64:
        raise ValueError(f"{path.name} is not what info.json describes")
    return values.view(np.ndarray)
