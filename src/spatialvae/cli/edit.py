"""The commands that put codes together and decode them: interpolate, transplant, inpaint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatialvae.cli.images import pictures_for
from spatialvae.cli.machine import load_model
from spatialvae.cli.options import Device, Json, Out, Overwrite, Prior, RunFolder, Seed, Temperature, Threads
from spatialvae.cli.output import check_free, emit, write_images

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["inpaint", "interpolate", "transplant"]

Cells = Annotated[
    str,
    typer.Option("--cells", help="Cells of the maps, ROWS,COLUMNS from 0: 1,2 or 0:2,1:3 or 0,0+2,2."),
]
Pictures = Annotated[list[Path] | None, typer.Argument(help="Two pictures; without them, draws from the prior.")]


def interpolate(
    run: RunFolder,
    pictures: Pictures = None,
    out: Out = Path("interpolation.png"),
    path: Annotated[
        str,
        typer.Option(help="linear, spherical (an arc round the prior's mean), or cells (one cell after the other)."),
    ] = "linear",
    steps: Annotated[int, typer.Option(min=2, max=1000, help="Pictures from one end to the other.")] = 8,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="How many paths, when the ends are drawn.")] = 4,
    seed: Seed = 0,
    prior: Prior = None,
    device: Device = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Walk from one code to another, and decode on the way."""
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


def transplant(
    run: RunFolder,
    first: Annotated[Path, typer.Argument(help="The picture that gets cells.")],
    second: Annotated[Path, typer.Argument(help="The picture that gives them.")],
    cells: Cells,
    out: Out = Path("transplant.png"),
    device: Device = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Put cells of one picture's code into another's.

    The picture shows both, the cells' place outlined, then what the model makes of each, then the first with the
    second's cells.
    """
    check_free(out, overwrite)
    import torch

    from spatialvae import editing

    model = load_model(run, device, threads)
    region = editing.parse_cells(cells, model.latent.event_shape[1:])
    images = pictures_for(run, model, [first, second], 2, "a transplant is between exactly 2: give files, no folders")
    mixed = editing.transplant(model, images[:1], images[1:], region)
    _write_outlined(torch.cat([images, model.reconstruct(images), mixed]), out, region, (0, 1))
    order = ["first", "second", "first reconstructed", "second reconstructed", "first with the second's cells"]
    payload = {"run": str(run), "out": str(out), "cells": region.nonzero().tolist(), "order": order}
    emit(payload, json, [f"{', '.join(order)} ({int(region.sum())} of {region.numel()}): {out}"])


def inpaint(
    run: RunFolder,
    picture: Annotated[Path, typer.Argument(help="The picture.")],
    region: Annotated[
        str,
        typer.Option("--region", help="Cells to draw anew, ROWS,COLUMNS from 0: 1,2 or 0:2,1:3 or 0,0+2,2."),
    ],
    out: Out = Path("inpaint.png"),
    count: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 8,
    prior: Prior = None,
    seed: Seed = 0,
    temperature: Temperature = 1.0,
    device: Device = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Draw some cells of a picture's code anew from the prior, given the others.

    The picture shows the original and its reconstruction, the region outlined, then the draws.
    """
    check_free(out, overwrite)
    import torch

    from spatialvae import editing
    from spatialvae.editing.inpaint import prior_for_cells

    model = load_model(run, device, threads)
    cells = editing.parse_cells(region, model.latent.event_shape[1:], "--region")
    chosen = model.priors.resolve(prior or prior_for_cells(model))
    images = pictures_for(run, model, [picture], 1, "exactly 1 is inpainted: give a file, no folder")
    drawn = editing.inpaint(model, images[0], cells, count, prior=chosen, temperature=temperature, seed=seed)
    _write_outlined(torch.cat([images, model.reconstruct(images), drawn]), out, cells, (0, 1))
    payload = {"run": str(run), "out": str(out), "region": cells.nonzero().tolist(), "count": count, "prior": chosen}
    said = f"original, reconstruction and {count} draws of {int(cells.sum())} of {cells.numel()} cells from {chosen}"
    emit({**payload, "temperature": temperature, "seed": seed}, json, [f"{said}: {out}"])


def _write_outlined(images: Tensor, out: Path, cells: Tensor, which: Sequence[int]) -> None:
    """A row of pictures with the cells' place outlined in some; arrays and folders hold the pictures as they are."""
    from spatialvae.editing import pixels_of
    from spatialvae.picture_grid import outlined

    if out.suffix and out.suffix.lower() != ".npz":
        height, width = images.shape[-2:]
        images = outlined(images, pixels_of(cells, (height, width)), which)
    write_images(images, out, columns=len(images))
