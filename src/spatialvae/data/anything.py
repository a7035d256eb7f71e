"""Images in whatever form a program has them, as prepared images with splits."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from spatialvae.config import DataOptions
from spatialvae.data.dataset import SPLITS, ImageData, content_hash
from spatialvae.data.decoding import decode_images
from spatialvae.data.options import ImageOptions, parse_image_size
from spatialvae.data.prepare import prepare, prepare_opened
from spatialvae.data.sources.hub import LoadedSource
from spatialvae.data.sources.memory import MemoryImages, Part, part_of
from spatialvae.data.splits import split_called
from spatialvae.data.value_range import ValueRange
from spatialvae.data.writer import MemoryWriter
from spatialvae.errors import UserError, nearest

__all__ = ["as_image_data", "images_by"]

ARRAYS = "arrays"


def as_image_data(
    images: object,
    *,
    image_size: int | str | tuple[int, int] | None = None,
    crop: str = "none",
    channels: int | None = None,
    layout: str = "auto",
    skip_bad_images: bool = False,
    value_range: tuple[float, float] | None = None,
    label_names: Sequence[str] = (),
    name: str | None = None,
    cache: str | Path | None = None,
    progress: bool = False,
) -> ImageData:
    """Images of any kind as uint8 [N, C, H, W] with the splits train, validation and test.

    `images` is one of these:

    - the name of a source ("digits", "hub:OWNER/NAME") or a path: decoded once, into the cache;
    - a `datasets.Dataset` or `DatasetDict`: the same;
    - an array or tensor [N, H, W], [N, C, H, W] or [N, H, W, C], or a pair (images, labels), as a tuple;
    - a torch `Dataset`, or a list, whose items are an image (array, tensor, picture of Pillow) or (image, label); it is
      read more than once, and what it gives at last is kept in memory;
    - a mapping from train, validation and test to any of the kinds in memory;
    - `ImageData`, which stays what it is.

    Values of uint8 go from 0 to 255. Floats go from 0 to 1 where none of all is negative, and from -1 to 1 where one is
    -0.5 or less; they are rounded to 256 levels. Where nothing names the splits, 5 % of the images each go to
    validation and test, by the hash of their pixels.

    >>> import numpy as np
    >>> pixels = np.random.default_rng(0).random((50, 8, 8))
    >>> data = as_image_data((pixels, np.arange(50) % 3))
    >>> sum(map(len, data.splits.values())), data.channels, data.label_names
    (50, 1, ['0', '1', '2'])

    Args:
        images: the images.
        image_size: a side, "HEIGHTxWIDTH" or (height, width) in pixels; None keeps the size that all images share.
        crop: "none", "center", or the side of a centred square in pixels.
        channels: 1 to 4; None keeps what the images have.
        layout: axis order of arrays, "auto", "nchw" or "nhwc".
        skip_bad_images: whether unreadable pictures are left out.
        value_range: the values of black and white of arrays and tensors, in place of the rule.
        label_names: the classes of images in memory, in the order of their numbers.
        name: what images in memory are called; default: arrays.
        cache: a folder in place of the default one, for what is decoded into the cache.
        progress: whether a bar on stderr shows how far it is.

    Raises:
        UserError: images of another kind, shape or range, with the rule; or too few of them; an argument that does not
            apply to them.
    """
    options = ImageOptions(_size(image_size), str(crop), layout, skip_bad_images, channels)
    place = None if cache is None else Path(cache)
    own = {"value_range": value_range, "label_names": label_names or None, "name": name, "cache": cache}
    given = [argument for argument, value in own.items() if value is not None]
    if isinstance(images, ImageData):
        if options != ImageOptions() or given:
            raise UserError("These images are prepared already: give the options where they are prepared.")
        return images
    if isinstance(images, str | Path):
        _refuse(given, {"value_range", "label_names", "name"}, "a source or path says it itself")
        source = images if isinstance(images, str) else str(images.expanduser().absolute())
        return prepare(source, options, cache=place, progress=progress)
    if _is_of_datasets(images):
        _refuse(given, {"value_range", "label_names"}, "a set of the datasets library says it itself")
        source = LoadedSource(images, name or ARRAYS)
        return prepare_opened(source, options, source=None, cache=place, progress=progress)
    _refuse(given, {"cache"}, "these are kept in memory", "what is decoded into the cache")
    whole = MemoryImages(
        _parts(images, layout, name or ARRAYS),
        name=name or ARRAYS,
        label_names=label_names,
        value_range=None if value_range is None else _range(value_range),
    )
    return _in_memory(whole, options, progress)


def images_by(options: DataOptions, images: object, *, progress: bool) -> ImageData:
    """The images, prepared as the settings say; those that are prepared already stay what they are.

    Args:
        images: all that `as_image_data` takes; None: what the settings name.

    Raises:
        UserError: neither images nor a name, and what `as_image_data` refuses.
    """
    if isinstance(images, ImageData):
        return images
    source = options.data if images is None else images
    if source is None:
        raise UserError(f"These settings are of a run on arrays in memory: give `images`. {nearest('', ['digits'])}")
    return as_image_data(
        source,
        image_size=options.image_size,
        crop=options.crop,
        channels=options.channels,
        layout=options.layout,
        skip_bad_images=options.skip_bad_images,
        progress=progress,
    )


def _size(image_size: int | str | tuple[int, int] | None) -> tuple[int, int] | None:
    if image_size is None:
        return None
    if isinstance(image_size, tuple | list) and len(image_size) == 2:
        return parse_image_size("x".join(map(str, image_size)))
    return parse_image_size(str(image_size))


def _range(value_range: tuple[float, float]) -> ValueRange:
    pair = isinstance(value_range, tuple | list) and len(value_range) == 2
    if not pair or not all(isinstance(value, Real) for value in value_range):
        raise UserError(f"`value_range` {value_range!r} is not possible: give black and white, for instance (0, 1).")
    return ValueRange(*value_range)


def _refuse(given: Sequence[str], names: set[str], reason: str, kind: str = "arrays in memory") -> None:
    """Refuse the first of `names` that was given."""
    for argument in given:
        if argument in names:
            raise UserError(f"`{argument}` is for {kind}: {reason}.")


def _is_of_datasets(images: object) -> bool:
    """Whether the `datasets` library made it, without importing what nobody did."""
    library: Any = sys.modules.get("datasets")
    return library is not None and isinstance(images, library.Dataset | library.DatasetDict)


def _parts(images: object, layout: str, name: str) -> dict[str, tuple[Part, str | None]]:
    if not isinstance(images, Mapping):
        return {name: (_part(images, layout, name), None)}
    parts: dict[str, tuple[Part, str | None]] = {}
    for key, value in images.items():
        split = split_called(str(key))
        if split is None:
            raise UserError(f"Split '{key}' is not known. {nearest(str(key), SPLITS)}")
        if value is not None:
            parts[split] = (_part(value, layout, split), split)
    if not parts:
        raise UserError("There are no images: give arrays for train, validation and test.")
    return parts


def _part(images: object, layout: str, where: str) -> Part:
    if isinstance(images, tuple):
        if len(images) != 2:
            raise UserError(f"{where} is a tuple of {len(images)}: a pair (images, labels) is wanted.")
        return part_of(images[0], images[1], layout, where)
    return part_of(images, None, layout, where)


def _in_memory(images: MemoryImages, options: ImageOptions, progress: bool) -> ImageData:
    writers: dict[str, MemoryWriter] = {}

    def writer(split: str) -> MemoryWriter:
        writers[split] = MemoryWriter()
        return writers[split]

    description = decode_images(images, options, writer, progress)
    splits = {split: writers[split].split for split in description.splits}
    return ImageData.described(
        description,
        splits,
        source=None,
        name=images.name,
        fingerprint=content_hash(splits),
        options=options,
        passed_over=images.passed_over,
    )
