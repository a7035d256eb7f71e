"""`spatialvae inpaint`: some cells of a picture's code drawn anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spatialvae.cli.images import pictures_for
from spatialvae.cli.machine import load_model
from spatialvae.cli.options import Device, Json, Out, Overwrite, Prior, RunFolder, Seed, Temperature, Threads
from spatialvae.cli.output import check_free, emit, write_outlined

__all__ = ["inpaint"]


def inpaint(
    run: RunFolder,
    picture: Annotated[Path, typer.Argument(help="The picture.")],
    region: Annotated[
        str,
        typer.Option(
            "--region", help="The cells to redraw, as ROWS,COLUMNS counted from 0: 1,2 or 0:2,1:3 or 0,0+2,2."
        ),
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
    """Redraw some cells of a picture's code from the prior, given the other cells.

    The picture shows the original and its reconstruction, the region outlined, then the draws.
    """
    check_free(out, overwrite)
    import torch

    from spatialvae import editing
    from spatialvae.editing.inpaint import prior_for_cells

    model = load_model(run, device, threads)
    cells = editing.parse_cells(region, model.latent.event_shape[1:], "region")
    chosen = model.priors.resolve(prior or prior_for_cells(model))
    images = pictures_for(run, model, [picture], 1, "exactly 1 is inpainted: give a file, no folder")
    drawn = editing.inpaint(model, images[0], cells, count, prior=chosen, temperature=temperature, seed=seed)
    write_outlined(torch.cat([images, model.reconstruct(images), drawn]), out, cells, (0, 1))
    payload = {"run": str(run), "out": str(out), "region": cells.nonzero().tolist(), "count": count, "prior": chosen}
    shown = f"original, reconstruction and {count} draws of {int(cells.sum())} of {cells.numel()} cells from {chosen}"
    emit({**payload, "temperature": temperature, "seed": seed}, json, [f"{shown}: {out}"])
