"""The table of named sources, and what a path can be."""

from __future__ import annotations

import os
from pathlib import Path

from spatialvae.data.options import ImageOptions
from spatialvae.data.sources.arrays import ArraySource
from spatialvae.data.sources.digits import DigitsSource
from spatialvae.data.sources.folder import FolderSource
from spatialvae.data.sources.hub import HubSource, SavedSource, is_saved
from spatialvae.data.sources.idx import IdxSource, is_idx
from spatialvae.data.sources.named import celeba, cifar10, fashion_mnist, mnist
from spatialvae.data.sources.parquet import ParquetSource, has_pictures
from spatialvae.data.sources.source import SOURCES, AbstractSource, Record
from spatialvae.data.sources.walk import look_below, looks_like_picture
from spatialvae.errors import UserError, nearest
from spatialvae.plugins import load_entry_points

__all__ = [
    "SOURCES",
    "AbstractSource",
    "DigitsSource",
    "Record",
    "celeba",
    "cifar10",
    "fashion_mnist",
    "mnist",
    "open_source",
    "whole_name",
]

HUB = "hub:"
PATH_MARKS = "/\\.~"


def open_source(source: str, options: ImageOptions) -> tuple[AbstractSource, ImageOptions]:
    """The source behind a name of `SOURCES`, `hub:OWNER/NAME` or a path, with the options that it implies.

    A name wins over a folder of that name, which is reached as ./name.

    Raises:
        UserError: what is neither, with the nearest name, or a path that does not hold what it must.
    """
    if _is_named(source):
        opened = SOURCES.parse(source)
        return opened, options.completed_by(opened.implied)
    if source.startswith(HUB):
        repository = source.removeprefix(HUB)
        return HubSource(repository.rpartition("/")[2], repository), options
    path = Path(source).expanduser()
    if not path.exists():
        raise UserError(_unknown(source))
    return (_open_folder(path) if path.is_dir() else _open_file(path, options)), options


def whole_name(source: str) -> str:
    """What `open_source` finds the same source by from any folder: a name as it is, a path as an absolute one.

    >>> whole_name("digits"), whole_name("hub:some-one/some-set"), whole_name("/data/../pictures/")
    ('digits', 'hub:some-one/some-set', '/pictures')
    """
    known = _is_named(source) or source.startswith(HUB)
    return source if known else os.path.abspath(Path(source).expanduser())


def _is_named(source: str) -> bool:
    """Whether the word before the options is a name of `SOURCES`; installed packages are asked about other words."""
    name = source.partition(":")[0]
    if name not in SOURCES and name != "hub" and not any(mark in name for mark in PATH_MARKS):
        load_entry_points()
    return name in SOURCES


def _unknown(source: str) -> str:
    if any(mark in source for mark in PATH_MARKS):
        return f"Data '{source}' does not exist: give a path that does, or one of {', '.join(SOURCES)}."
    return (
        f"Data '{source}' is neither a known name nor a path that exists. {nearest(source, SOURCES)}\n"
        "A path of pictures, parquet, .npy, .npz or idx files works too, and hub:OWNER/NAME."
    )


def _open_folder(path: Path) -> AbstractSource:
    if is_saved(path):
        return SavedSource(path)
    if is_idx(path):
        return IdxSource(path)
    below = look_below(path)
    if not below.pictures and below.tables:
        return ParquetSource(path, below)
    full = [name for name, table in below.tables.items() if has_pictures(table)]
    if full:
        raise UserError(
            f"'{path}' has {len(below.pictures)} picture files and pictures in parquet files, for instance {full[0]}.\n"
            "Give a folder of only one kind, or a parquet file by its own path."
        )
    return FolderSource(path, below)


def _open_file(path: Path, options: ImageOptions) -> AbstractSource:
    if path.suffix.lower() == ".parquet":
        return ParquetSource(path)
    if path.suffix.lower() in (".npy", ".npz"):
        return ArraySource(path, options.layout)
    if is_idx(path):
        return IdxSource(path)
    if looks_like_picture(path):
        raise UserError(f"'{path}' is one picture: give the folder that holds it, with at least 10 pictures.")
    raise UserError(
        f"'{path}' is not a kind of data file that is known: .parquet, .npy, .npz or idx (also .gz).\n"
        "Unpack an archive first and give the folder."
    )
