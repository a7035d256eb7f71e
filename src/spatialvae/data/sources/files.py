"""The identity of files: what is in them, remembered by what the file system says of them."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from spatialvae.data.sources.source import AbstractSource
from spatialvae.errors import UserError

__all__ = ["AbstractFileSource", "first_bytes", "printable"]

ALWAYS_READ = 64 * 2**20  # up to this many bytes the files are hashed afresh every time
SETTLED = 2.0  # seconds; a younger file could change again without a new time stamp


def first_bytes(path: Path, count: int) -> bytes:
    """The first `count` bytes of a file, fewer when it is shorter or cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError:
        return b""


def printable(name: str) -> str:
    r"""A file's name as text that every terminal and file takes: bytes that are no UTF-8 are spelled out.

    >>> printable(b"caf\xe9.png".decode("utf-8", "surrogateescape"))
    'caf\\xe9.png'
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class AbstractFileSource(AbstractSource):
    """A source made of files: (name within the source, path), in order.

    The identity is a hash of names and contents, so that a copy elsewhere is the same data. Reading many
    gigabytes again at each start would be slow: the hash of a large source is remembered under the files'
    sizes, modification and change times, inodes and places, any of which moves when a file is written.
    """

    files: Sequence[tuple[str, Path]]

    def signature(self) -> str:
        """Hash of sizes, times, inodes and places of all files."""
        return self._look()[0]

    def identity(self, cache: Path) -> str:
        """Hash of kind, names and contents."""
        signature, size, newest = self._look()
        note = cache / "identities" / signature
        settled = newest < time.time() - SETTLED
        if size > ALWAYS_READ and settled and (known := first_bytes(note, 64).decode("ascii", "replace")):
            return known
        digest = hashlib.sha256(type(self).__name__.encode())
        for name, path in self.files:
            digest.update(f"\n{name}\n{_content_hash(path)}".encode(errors="surrogateescape"))
        identity = digest.hexdigest()
        if size > ALWAYS_READ and settled:
            _remember(note, identity)
        return identity

    def _look(self) -> tuple[str, int, float]:
        digest, size, newest = hashlib.sha256(type(self).__name__.encode()), 0, 0.0
        for name, path in self.files:
            try:
                status = os.stat(path)
            except OSError:
                digest.update(f"{name}\nmissing\n".encode(errors="surrogateescape"))
                continue
            fields = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)
            digest.update(f"{name}\n{path.absolute()}\n{fields}\n".encode(errors="surrogateescape"))
            size += status.st_size
            newest = max(newest, status.st_mtime, status.st_ctime)
        return digest.hexdigest(), size, newest


def _content_hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        # One unreadable picture is for the list of bad images, not a reason to stop here.
        return f"unreadable: {error.errno}"


def _remember(note: Path, identity: str) -> None:
    """In one step, so that no process reads half of it; a cache that cannot be written is only slower."""
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=note.parent)
        with os.fdopen(handle, "w") as file:
            file.write(identity)
        os.replace(temporary, note)
    except OSError as error:
        raise UserError(
            f"The cache {note.parent.parent} cannot be written: {error.strerror or error}.\n"
            "Set the environment variable SPATIALVAE_CACHE to a folder with room."
        ) from error
