"""From any source to the cache: read, decode, split and write, once."""

from __future__ import annotations

from pathlib import Path

from spatialvae.data.cache import default_cache, fingerprint_of, new_entry, publish, read_entry, write_description
from spatialvae.data.dataset import ImageData
from spatialvae.data.decoding import decode_images
from spatialvae.data.options import ImageOptions
from spatialvae.data.sources import open_source, whole_name
from spatialvae.data.sources.source import AbstractSource
from spatialvae.data.writer import FileWriter
from spatialvae.errors import UserError

__all__ = ["OtherImages", "prepare", "prepare_opened"]

AS_THEY_ARE = ImageOptions()


class OtherImages(UserError):
    """A source, or what is to be done to it, is not what it was when its fingerprint was taken."""


def prepare(
    source: str,
    options: ImageOptions = AS_THEY_ARE,
    *,
    cache: Path | None = None,
    progress: bool = False,
    expected: str | None = None,
) -> ImageData:
    """Give the images of `source`, decoded once to uint8 [N, C, H, W] in the cache and mapped from there.

    >>> import tempfile
    >>> import numpy as np
    >>> folder = Path(tempfile.mkdtemp())
    >>> images = np.arange(20, dtype=np.uint8)[:, None, None, None].repeat(8, 2).repeat(8, 3)
    >>> np.save(folder / "grey.npy", images)
    >>> data = prepare(str(folder / "grey.npy"), cache=folder / "cache")
    >>> (data.channels, data.height, data.width), sum(len(split) for split in data.splits.values())
    ((1, 8, 8), 20)

    Args:
        source: a name of `SOURCES`, `hub:OWNER/NAME`, or the path of a folder of pictures, parquet files, a saved
            `datasets` folder, an `.npy` or `.npz` file, or idx files.
        options: size, crop, layout and channels.
        cache: a folder in place of the default one.
        progress: whether a bar on stderr shows how far it is.
        expected: the fingerprint that the images must have.

    Raises:
        UserError: a source or an option that is not possible, or an image that cannot be read.
        OtherImages: the fingerprint is not the one expected; nothing was decoded.
    """
    opened, options = open_source(source, options)
    return prepare_opened(opened, options, source=whole_name(source), cache=cache, progress=progress, expected=expected)


def prepare_opened(
    opened: AbstractSource,
    options: ImageOptions,
    *,
    source: str | None,
    cache: Path | None = None,
    progress: bool = False,
    expected: str | None = None,
) -> ImageData:
    """The same for a source that is open; `source` is what a run folder finds it by again, None for nothing.

    Raises:
        UserError: an image that cannot be read, or a source that changes meanwhile.
        OtherImages: the fingerprint is not the one expected; nothing was decoded.
    """
    root = default_cache() if cache is None else Path(cache)
    title = source or opened.name
    before = opened.signature()
    fingerprint = fingerprint_of(opened.identity(root), options)
    if expected not in (None, fingerprint):
        raise OtherImages(f"'{title}' has changed: its fingerprint is {fingerprint}, wanted is {expected}.")
    entry = read_entry(root / fingerprint)
    if entry is None:
        with new_entry(root) as folder:
            description = decode_images(opened, options, lambda name: FileWriter(folder, name), progress)
            if opened.signature() != before:
                raise UserError(f"'{title}' changed while it was read. Run the command again.")
            write_description(folder, fingerprint, description)
            publish(folder, root / fingerprint)
        entry = read_entry(root / fingerprint)
    if entry is None:
        raise UserError(f"The cache entry {root / fingerprint} vanished. Run the command again.")
    return ImageData.described(
        entry.description,
        entry.splits,
        source=source,
        name=opened.name,
        fingerprint=fingerprint,
        options=options,
        passed_over=dict(opened.passed_over),
    )
