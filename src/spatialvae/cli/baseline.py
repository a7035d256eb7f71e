"""`spatialvae baseline`: what linear models reach on a source of images."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from spatialvae.cli.images import prepare_images
from spatialvae.cli.machine import use_machine
from spatialvae.cli.options import Json, Threads, given, usable_seed, with_settings
from spatialvae.cli.output import emit
from spatialvae.config import DataOptions
from spatialvae.errors import UserError
from spatialvae.records import as_json

__all__ = ["baseline"]

Numbers = Annotated[
    str | None,
    typer.Option(
        help="Numbers of PCA's codes, with commas: 150,576,1152. Default: those of the vector and of the maps that "
        "are the default for images of this size."
    ),
]
Split = Annotated[str, typer.Option(help="Which images to measure: test, validation, train or all.")]

Limit = Annotated[
    int | None, typer.Option(min=1, help="Measure only this many images, drawn from the split by --seed. Default: all.")
]
DrawSeed = Annotated[int, typer.Option(min=0, callback=usable_seed, help="Seed of the draw of --limit.")]


@with_settings(DataOptions, without=("data",))
def baseline(
    *,
    source: Annotated[str, typer.Argument(help="A name (digits, mnist, cifar10, ...), hub:OWNER/NAME, or a path.")],
    numbers: Numbers = None,
    split: Split = "test",
    limit: Limit = None,
    seed: DrawSeed = 0,
    threads: Threads = None,
    json: Json = False,
    **settings: Any,
) -> None:
    """Measure linear models: one Gaussian over the pixels, and probabilistic PCA, in bits per dim and squared error.

    They are fitted to the training images; fits and results are kept in the cache.
    """
    wanted = None if numbers is None else _numbers(numbers)
    chosen = DataOptions.parse({"data": source, **given(settings)}, "baseline")
    use_machine("cpu", threads)
    prepared = prepare_images(chosen)
    from spatialvae.baselines import linear_baselines

    measured = linear_baselines(prepared, wanted, split=split, limit=limit, seed=seed, progress=True)
    emit(as_json(measured) | {"notes": measured.notes}, json, repr(measured).splitlines())


def _numbers(text: str) -> list[int]:
    """The numbers between commas.

    >>> _numbers("150, 576,150")
    [150, 576, 150]
    """
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if not part.isascii() or not part.isdecimal():
            raise UserError(f"`numbers` {text}: {part!r} is no whole number; write them with commas, such as 150,576.")
    return [int(part) for part in parts]
