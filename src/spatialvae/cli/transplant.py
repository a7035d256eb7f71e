"""`spatialvae transplant`: cells of one picture's code in another's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spatialvae.cli.images import pictures_for
from spatialvae.cli.machine import load_model
from spatialvae.cli.options import Device, Json, Out, Overwrite, RunFolder, Threads
from spatialvae.cli.output import check_free, emit, write_outlined

__all__ = ["transplant"]

Cells = Annotated[
    str,
    typer.Option("--cells", help="The cells to copy, as ROWS,COLUMNS counted from 0: 1,2 or 0:2,1:3 or 0,0+2,2."),
]


def transplant(
    run: RunFolder,
    first: Annotated[Path, typer.Argument(help="The picture to change.")],
    second: Annotated[Path, typer.Argument(help="The picture to take cells from.")],
    cells: Cells,
    out: Out = Path("transplant.png"),
    device: Device = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Copy cells from one picture's code into another's.

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
    write_outlined(torch.cat([images, model.reconstruct(images), mixed]), out, region, (0, 1))
    order = ["first", "second", "first reconstructed", "second reconstructed", "first with the second's cells"]
    payload = {"run": str(run), "out": str(out), "cells": region.nonzero().tolist(), "order": order}
    emit(payload, json, [f"{', '.join(order)} ({int(region.sum())} of {region.numel()}): {out}"])
