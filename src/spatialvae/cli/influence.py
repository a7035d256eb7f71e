"""`spatialvae influence`: which pixels each cell writes and reads, and how the cells hang together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spatialvae.cli.images import images_for
from spatialvae.cli.machine import load_model
from spatialvae.cli.options import Device, Json, Overwrite, Prior, RunFolder, Threads, given, usable_seed, with_settings
from spatialvae.cli.output import PICTURES, check_free, emit
from spatialvae.config import DataOptions
from spatialvae.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from spatialvae.editing import Influence, SiteCorrelations

__all__ = ["influence"]

CORRELATED = 2000  # images that the correlations are measured on, at most
FEW = 10  # images, under which a correlation over them says little


@with_settings(DataOptions, default="the run's")
def influence(
    *,
    run: RunFolder,
    out: Annotated[Path, typer.Option("--out", help="The picture (.png) or the arrays (.npz) to write.")] = Path(
        "influence.png"
    ),
    images: Annotated[int, typer.Option(min=1, help="Number of images to average the derivatives over.")] = 8,
    split: Annotated[
        str | None,
        typer.Option(
            help="Of which part of the data: train, validation, test or all. Default: test; all of other data than "
            "the run's that names no test split."
        ),
    ] = None,
    prior: Prior = None,
    probes: Annotated[
        int, typer.Option(min=1, help="Number of random sign vectors, for models of more than 32 maps.")
    ] = 32,
    seed: Annotated[
        int, typer.Option(min=0, callback=usable_seed, help="Seed of the images, random signs and draws.")
    ] = 0,
    device: Device = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: Json = False,
    **settings: Any,
) -> None:
    """Show which pixels each cell of the maps writes and reads, and how the cells are correlated."""
    if out.suffix.lower() not in (*PICTURES, ".npz"):
        raise UserError(f"--out {out} is no kind of output here: use a name ending in .png or .npz.")
    check_free(out, overwrite)
    from spatialvae import editing
    from spatialvae.data.batches import some_images
    from spatialvae.metrics.latent.codes import check_images

    model = load_model(run, device, threads)
    map_size = model.latent.event_shape[1:]
    editing.check_cells(map_size)
    chosen = model.priors.resolve(prior)
    shown = images_for(run, model, given(settings), progress=not json)
    split = split or ("test" if shown.own else shown.data.handed_over)
    part = shown.data.split(split)
    check_images(model, part, images)
    seen = some_images(part, CORRELATED, seed=seed)
    measured = editing.influence(model, some_images(part, images, seed=seed), probes=probes, seed=seed)
    correlations = editing.site_correlations(model, seen, prior=chosen, seed=seed)
    _write(out, measured, correlations, chosen)
    summary = _summary(measured, correlations, map_size)
    payload = {"run": str(run), "out": str(out), "data": shown.data.source, "split": split, "prior": chosen}
    payload |= {
        "seed": seed,
        "probes": measured.probes,
        "images": measured.images,
        "correlated": len(seen),
        "of": len(part),
    }
    warnings = [*shown.notes, *_few(len(seen), split)]
    notes = [f"  ! {note}" for note in warnings]
    emit(
        {**payload, **asdict(summary), "notes": warnings},
        json,
        [*_lines(summary), *notes, f"writes, reads, correlations: {out}"],
    )


@dataclass(frozen=True)
class _Reach:
    """How far a cell reaches: the share of its pixels' influence in its own block, and the radius in pixels."""

    inside: float
    radius: float


@dataclass(frozen=True)
class _Correlation:
    """The mean correlation of neighbouring cells, and the mean size of that of any two."""

    neighbours: float
    absolute: float


@dataclass(frozen=True)
class _Summary:
    """The numbers behind the picture, means over cells; `block` is the share of the image that a cell stands for."""

    writes: _Reach
    reads: _Reach
    block: float
    correlation: dict[str, _Correlation]


def _summary(measured: Influence, correlations: SiteCorrelations, map_size: tuple[int, int]) -> _Summary:
    from spatialvae.editing.correlation import neighbours, off_diagonal
    from spatialvae.editing.influence import inside_share, radius

    def reach(maps: Tensor) -> _Reach:
        return _Reach(inside_share(maps).mean().item(), radius(maps).mean().item())

    return _Summary(
        writes=reach(measured.writes),
        reads=reach(measured.reads),
        block=1 / (map_size[0] * map_size[1]),
        correlation={
            name: _Correlation(neighbours(matrix, map_size), off_diagonal(matrix))
            for name, matrix in vars(correlations).items()
        },
    )


def _few(count: int, split: str) -> list[str]:
    """What to beware of where there are hardly any images: over one of them nothing is correlated."""
    if count >= FEW:
        return []
    images = f"{count} image{'s' * (count != 1)}"
    return [f"the aggregate is that of {images} ({split}), which says little: choose a larger part with --split"]


def _lines(summary: _Summary) -> list[str]:
    block = f"its own block of pixels ({summary.block:.0%} of the image)"
    lines = [
        f"  {what}: {reach.inside:.0%} on {block}, radius {reach.radius:.1f} pixels"
        for reach, what in ((summary.writes, "a cell writes"), (summary.reads, "a cell reads"))
    ]
    correlations = ", ".join(f"{value.neighbours:.2f} {name}" for name, value in summary.correlation.items())
    return [*lines, f"  correlation of neighbouring cells: {correlations}"]


def _write(out: Path, measured: Influence, correlations: SiteCorrelations, prior: str) -> None:
    """The picture, or the arrays by their names."""
    from spatialvae.editing.influence_picture import influence_picture
    from spatialvae.files import replacing
    from spatialvae.picture_grid import save_picture

    if out.suffix.lower() != ".npz":
        save_picture(influence_picture(measured, correlations, prior), out)
        return
    import numpy as np

    arrays = {"writes": measured.writes, "reads": measured.reads, **vars(correlations)}
    with replacing(out) as path, path.open("wb") as file:
        np.savez(file, **{name: tensor.numpy() for name, tensor in arrays.items()})
