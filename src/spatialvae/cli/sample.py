"""`spatialvae sample`: new pictures from a prior."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from spatialvae.cli.machine import load_model
from spatialvae.cli.options import Device, Json, Out, Overwrite, Prior, RunFolder, Seed, Shown, Temperature, Threads
from spatialvae.cli.output import check_free, emit, say, write_images

if TYPE_CHECKING:
    from spatialvae.likelihoods.shown import Pixels

__all__ = ["sample"]

Guidance = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="How strongly classes pull in draws from a flow-matching prior with labels: 1 as it was trained, "
        "more the more strongly. Without --label each picture gets a class.",
    ),
]
Columns = Annotated[int | None, typer.Option(min=1, help="Pictures per row of the grid.")]


def sample(
    run: RunFolder,
    out: Out = Path("samples.png"),
    count: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 64,
    seed: Seed = 0,
    prior: Prior = None,
    temperature: Temperature = 1.0,
    label: Annotated[
        str | None,
        typer.Option(
            help="Draw pictures of this class (a name or a number), from a prior that was fitted with labels."
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Number of solver steps for a draw from a flow-matching prior.")
    ] = None,
    guidance: Guidance = None,
    pixels: Shown = "mean",
    columns: Columns = None,
    device: Device = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Draw new pictures and write them as a grid (.png), a folder of PNG files, or an .npz."""
    check_free(out, overwrite)
    from spatialvae import metrics

    model = load_model(run, device, threads)
    chosen = model.priors.resolve(prior)
    view = cast("Pixels", pixels)
    images = model.sample(
        count,
        seed=seed,
        temperature=temperature,
        prior=chosen,
        label=label,
        steps=steps,
        guidance=guidance,
        pixels=view,
    )
    write_images(images, out, columns)
    payload = {"run": str(run), "out": str(out), "count": count, "seed": seed, "prior": chosen, "label": label}
    if chosen == model.priors.own and (warning := metrics.holes_warning(model)):
        say(warning)
    drawn = f"{count} pictures" + ("" if label is None else f" of class {label}")
    emit({**payload, "temperature": temperature, "pixels": pixels}, json, [f"{drawn} from the {chosen} prior: {out}"])
