"""`spatialvae interpolate`: a walk from one code to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spatialvae.cli.images import pictures_for
from spatialvae.cli.machine import load_model
from spatialvae.cli.options import Device, Json, Out, Overwrite, Prior, RunFolder, Seed, Threads
from spatialvae.cli.output import check_free, emit, write_images

__all__ = ["interpolate"]

Pictures = Annotated[
    list[Path] | None, typer.Argument(help="The two pictures at the ends. Default: draws from the prior.")
]


def interpolate(
    run: RunFolder,
    pictures: Pictures = None,
    out: Out = Path("interpolation.png"),
    path: Annotated[
        str,
        typer.Option(
            help="The path: linear, spherical (an arc around the prior's mean) or cells (one cell after another)."
        ),
    ] = "linear",
    steps: Annotated[int, typer.Option(min=2, max=1000, help="Number of pictures from one end to the other.")] = 8,
    rows: Annotated[
        int, typer.Option(min=1, max=1000, help="Number of paths, if the ends are draws from the prior.")
    ] = 4,
    seed: Seed = 0,
    prior: Prior = None,
    device: Device = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Decode codes on a path from one code to another."""
    check_free(out, overwrite)
    from spatialvae.editing import between_draws, between_pictures

    model = load_model(run, device, threads)
    chosen = model.priors.resolve(prior)
    if pictures:
        images = pictures_for(run, model, pictures, 2, "a path has two ends: give exactly 2, or none")
        walked = between_pictures(model, images, steps, path=path, prior=chosen)
    else:
        walked = between_draws(model, rows, steps, seed=seed, prior=chosen, path=path)
    write_images(walked, out, columns=steps)
    payload = {"run": str(run), "out": str(out), "paths": len(walked) // steps, "steps": steps, "path": path}
    emit(payload, json, [f"{payload['paths']} path(s) of {steps} pictures: {out}"])
