"""How commands speak: one JSON object or a few lines on stdout, progress on stderr, pictures in files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatialvae.errors import UserError, with_flags

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["check_free", "emit", "say", "say_notes", "write_images", "write_outlined"]


def emit(payload: dict[str, Any], as_json: bool, lines: list[str]) -> None:
    """Print the result, once for all processes: the payload as one JSON object, or the lines for people."""
    if os.environ.get("RANK", "0") != "0":
        return
    print(json.dumps(payload) if as_json else "\n".join(lines))


def say(line: str) -> None:
    """One line about what is going on, on stderr, with settings by their flags."""
    print(with_flags(line), file=sys.stderr, flush=True)


def say_notes(notes: Sequence[str]) -> None:
    """What a user should know of images before a number is made of them, on stderr, once for all processes."""
    for note in notes if os.environ.get("RANK", "0") == "0" else ():
        say(f"note: {note}")


PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def check_free(out: Path, overwrite: bool) -> None:
    """Refuse to write over something, or a kind of file that is not known, before any work is done."""
    if out.suffix.lower() not in (*PICTURES, ".npz", ""):
        raise UserError(f"--out {out} is no kind of output: use a name ending in .png or .npz, or a folder's.")
    taken = out.exists() and not (out.is_dir() and not any(out.iterdir()))
    if taken and not overwrite:
        raise UserError(f"{out} is already there: choose another --out, or replace it with --overwrite.")


def write_images(images: Tensor, out: Path, columns: int | None = None, *, names: Sequence[str] | None = None) -> None:
    """uint8 images [N C H W] as a grid picture, an .npz (`images`) or a folder of PNG files, by the name of `out`.

    The files of a folder are called by `names`, else by numbers.
    """
    import numpy as np

    from spatialvae.files import replacing
    from spatialvae.picture_grid import grid, save_picture

    if out.suffix.lower() == ".npz":
        with replacing(out) as path, path.open("wb") as file:
            np.savez(file, images=images.numpy())
    elif out.suffix:
        save_picture(grid(images, columns), out)
    else:
        called = names or [f"{index:06d}" for index in range(len(images))]
        for name, image in zip(called, images, strict=True):
            save_picture(image[:3] if len(image) != 2 else image[:1], out / f"{name}.png")
        for old in () if names else out.glob("[0-9]" * 6 + ".png"):  # of a larger set that these replace
            if int(old.stem) >= len(images):
                old.unlink()


def write_outlined(images: Tensor, out: Path, cells: Tensor, which: Sequence[int]) -> None:
    """A row of pictures with the cells' place outlined in some; arrays and folders hold the pictures as they are."""
    from spatialvae.editing import pixels_of
    from spatialvae.picture_grid import outlined

    if out.suffix and out.suffix.lower() != ".npz":
        height, width = images.shape[-2:]
        images = outlined(images, pixels_of(cells, (height, width)), which)
    write_images(images, out, columns=len(images))
