"""A few pictures that a user names, prepared as a data set's are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np
import torch
from torch import Tensor

from spatialvae.data.notes import Seen, notes_of
from spatialvae.data.options import ImageOptions
from spatialvae.data.picture import BadImage, read_picture
from spatialvae.data.sources.files import printable
from spatialvae.data.sources.walk import look_below
from spatialvae.errors import UserError

__all__ = ["own_names", "read_pictures"]


def read_pictures(paths: Sequence[Path], options: ImageOptions, channels: int) -> tuple[Tensor, list[str], list[str]]:
    """Pictures from files, and from folders all that lie below: uint8 [N C H W], their names, and notes on them.

    Each is prepared by `options`, which give an image size, as the pictures of a data set are. What counts below a
    folder is what counts in training.

    Raises:
        UserError: a path that does not exist, a folder without pictures, a picture that cannot be read, unless it is
            skipped and others are left.
    """
    files, passed_over = _files(paths)
    pixels, names, bad, seen = [], [], [], Seen()
    for file in files:
        try:
            picture = read_picture(_content(file), options, channels)
        except BadImage as reason:
            bad.append(f"{printable(str(file))} cannot be used: {reason}.")
            if not options.skip_bad_images:
                raise UserError(f"{bad[0]} `skip_bad_images` leaves it out.") from None
            continue
        seen.add(picture)
        pixels.append(picture.pixels)
        names.append(printable(str(file)))
    if not pixels:
        raise UserError(f"None of the {len(bad)} pictures can be used. {bad[0]}")
    return torch.from_numpy(np.stack(pixels)), names, [*bad, *notes_of(passed_over, 0, {}, seen)]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadImage(f"cannot be read: {error.strerror or error}") from None


def _files(paths: Sequence[Path]) -> tuple[list[Path], dict[str, int]]:
    files: list[Path] = []
    passed_over: Counter[str] = Counter()
    for path in paths:
        if path.is_dir():
            below = look_below(path)
            if not below.pictures:
                raise UserError(f"{path} holds no pictures: give picture files, or a folder with some in it.")
            files += below.pictures.values()
            passed_over.update(below.beside_pictures)
        elif path.is_file():
            files.append(path)
        else:
            raise UserError(f"{path} does not exist: give a picture file, or a folder of pictures.")
    return files, passed_over


def own_names(pictures: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """What is made of pictures is called as they are within the folders of `paths`, without the suffix.

    Then sets can be paired by name. Two that would be called alike keep their suffixes, or else get numbers.

    >>> own_names(["faces/b/1.png", "faces/10.jpg", "c.png"], [Path("faces"), Path("c.png")])
    ['b/1', '10', 'c']
    >>> own_names(["a/1.png", "a/1.jpg"], [Path("a")]), own_names(["a/1.png", "b/1.png"], [Path("a"), Path("b")])
    (['1.png', '1.jpg'], ['000000', '000001'])
    """
    folders = [printable(str(path)) for path in paths]
    places = [PurePath(name) for name in pictures]
    below = [
        next(
            (
                name.relative_to(folder)
                for folder in folders
                if name != PurePath(folder) and name.is_relative_to(folder)
            ),
            PurePath(name.name),
        )
        for name in places
    ]
    for called in ([name.with_suffix("") for name in below], below):
        if len(set(called)) == len(called):
            return [name.as_posix() for name in called]
    return [f"{index:06d}" for index in range(len(places))]
