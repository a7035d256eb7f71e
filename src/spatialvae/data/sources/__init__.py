"""The table of named sources, and what a path can be."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from spatialvae.data.options import ImageOptions
from spatialvae.data.sources.arrays import ArraySource
from spatialvae.data.sources.digits import DigitsSource
from spatialvae.data.sources.folder import FolderSource
from spatialvae.data.sources.hub import HubSource, SavedSource, is_saved
from spatialvae.data.sources.idx import IdxSource, is_idx
from spatialvae.data.sources.parquet import ParquetSource, has_pictures
from spatialvae.data.sources.source import AbstractSource
from spatialvae.data.sources.walk import look_below, looks_like_picture
from spatialvae.errors import UserError, nearest

__all__ = ["SOURCE_NAMES", "open_source", "whole_name"]

HUB_NAMES = {
    "mnist": "ylecun/mnist",
    "fashion-mnist": "zalando-datasets/fashion_mnist",
    "cifar10": "uoft-cs/cifar10",
    "celeba": "flwrlabs/celeba",
}
SOURCE_NAMES = ("digits", *HUB_NAMES)


def open_source(source: str, options: ImageOptions) -> tuple[AbstractSource, ImageOptions]:
    """The source behind a name, `hub:OWNER/NAME` or a path, with the options that it implies.

    `celeba` is cropped to its 148 pixels and made 64x64 unless the options say another crop or size.
    A name wins over a folder of that name, which is reached as ./name. `UserError` names the nearest name,
    or says what a path must hold.
    """
    if source == "digits":
        return DigitsSource(), options
    if source in HUB_NAMES:
        if source == "celeba":
            crop = "148" if options.crop == "none" else options.crop
            options = replace(options, crop=crop, image_size=options.image_size or (64, 64))
        return HubSource(source, HUB_NAMES[source]), options
    if source.startswith("hub:"):
        return HubSource(source.removeprefix("hub:").rpartition("/")[2], source.removeprefix("hub:")), options
    path = Path(source).expanduser()
    if not path.exists():
        raise UserError(_unknown(source))
    return (_open_folder(path) if path.is_dir() else _open_file(path, options)), options


def whole_name(source: str) -> str:
    """What `open_source` finds the same source by from any folder: a name as it is, a path as an absolute one.

    >>> whole_name("digits"), whole_name("hub:some-one/some-set"), whole_name("/data/../pictures/")
    ('digits', 'hub:some-one/some-set', '/pictures')
    """
    known = source in SOURCE_NAMES or source.startswith("hub:")
    return source if known else os.path.abspath(Path(source).expanduser())


def _unknown(source: str) -> str:
    if any(mark in source for mark in "/\\.~"):
        return f"Data '{source}' does not exist: give a path that does, or one of {', '.join(SOURCE_NAMES)}."
    return (
        f"Data '{source}' is neither a known name nor a path that exists. {nearest(source, SOURCE_NAMES)}\n"
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
