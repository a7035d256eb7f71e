"""`spatialvae traverse`: what moves in a picture when one part of its code moves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatialvae.cli.images import pictures_for
from spatialvae.cli.machine import load_model
from spatialvae.cli.options import Device, Json, Out, Overwrite, Prior, RunFolder, Seed, Threads, finite
from spatialvae.cli.output import check_free, emit, write_images
from spatialvae.errors import UserError, nearest

if TYPE_CHECKING:
    from torch import Tensor

    from spatialvae.editing import Direction

__all__ = ["traverse"]

FIRST_COMPONENTS = 6
SPREADS = ("posterior", "prior")

Picture = Annotated[Path | None, typer.Argument(help="The picture to start from. Default: the prior's mean.")]
Cell = Annotated[
    str | None,
    typer.Option(
        "--cell", help="Cells to move, one row of pictures for each: 1,2 or 0:2,1:3. With --map, single numbers."
    ),
]
Map = Annotated[
    str | None, typer.Option("--map", help="Maps to move, counted from 0, one row for each: 3 or 0:4 or 0+5.")
]
Component = Annotated[
    str | None,
    typer.Option(
        "--component",
        help="Principal directions of the prior to move along, counted from 0, one row for each. Default: 0:6.",
    ),
]
Spread = Annotated[
    str | None,
    typer.Option(
        help="Whose standard deviations to use: posterior (default with a picture) or prior (default without)."
    ),
]


def traverse(
    run: RunFolder,
    picture: Picture = None,
    out: Out = Path("traverse.png"),
    cell: Cell = None,
    which_maps: Map = None,
    component: Component = None,
    steps: Annotated[
        int, typer.Option(min=2, max=1000, help="Pictures per row; with an odd number the middle one is the start.")
    ] = 7,
    extent: Annotated[
        float, typer.Option(min=0, callback=finite, help="How far to move to either side, in standard deviations.")
    ] = 3.0,
    spread: Spread = None,
    prior: Prior = None,
    seed: Seed = 0,
    device: Device = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Move one part of a code, keep the rest, and decode on the way.

    --cell moves a cell with all its maps, --map a map with all its cells, both together a single number, --component
    the whole code along a principal direction of the prior.
    """
    check_free(out, overwrite)
    if spread is not None and spread not in SPREADS:
        raise UserError(f"--spread {spread} is not known. {nearest(spread, SPREADS)}")
    if spread == "posterior" and picture is None:
        raise UserError("--spread posterior is that of a picture's code, and there is no picture: give one.")
    from spatialvae import editing

    model = load_model(run, device, threads)
    chosen = model.priors.resolve(prior)
    distribution = model.prior(chosen)
    draws = editing.draws_of(distribution, seed=seed)
    directions = _directions(draws, cell, which_maps, component)
    origin, start, whose, measured = distribution.mean.detach(), f"the mean of the prior {chosen}", "prior", draws
    if picture is not None:
        images = pictures_for(run, model, [picture], 1, "exactly 1 is where a walk starts: give a file, no folder")
        q = editing.posterior_of(model, images)
        origin, start = q.mean[0], str(picture)
        if spread != "prior":
            whose, measured = "posterior", editing.draws_of(q, seed=seed)
    deviations = [direction.deviation(measured) for direction in directions]
    walked = editing.traverse(model, origin, directions, [extent * each for each in deviations], steps)
    write_images(walked, out, columns=steps)
    payload = {"run": str(run), "out": str(out), "start": start, "prior": chosen, "spread": whose, "seed": seed}
    rows = _rows(directions, deviations)
    last = f"{len(rows)} row(s) of {steps} pictures from {start}: {out}"
    lines = [*_lines(rows, extent, whose), last]
    emit({**payload, "steps": steps, "extent": extent, "rows": [asdict(row) for row in rows]}, json, lines)


@dataclass(frozen=True)
class _Row:
    """What a row of the picture shows: what moves, its standard deviation, and its share of whose variance."""

    moves: str
    deviation: float
    share: float
    of: str


def _rows(directions: list[Direction], deviations: list[float]) -> list[_Row]:
    pairs = zip(directions, deviations, strict=True)
    return [_Row(way.name, deviation, way.share, way.whole) for way, deviation in pairs]


def _lines(rows: list[_Row], extent: float, whose: str) -> list[str]:
    return [
        f"  {row.moves}: ±{extent:g} standard deviations of the {whose}, {row.deviation:.3g} each"
        + ("" if row.of == "the number" else f"; {row.share:.0%} of {row.of}'s variance under the prior")
        for row in rows
    ]


def _directions(draws: Tensor, cell: str | None, maps: str | None, component: str | None) -> list[Direction]:
    """What the flags name; the first principal directions of the prior where they name nothing."""
    from spatialvae import editing

    _, count, height, width = draws.shape
    if cell is None and maps is None:
        most = min(count * height * width, editing.MOST_DIRECTIONS)
        wanted = f"0:{min(FIRST_COMPONENTS, most)}" if component is None else component
        return editing.component_directions(draws, editing.parse_numbers(wanted, most, "component", "components"))
    if component is not None:
        raise UserError("--component moves the whole code: leave out either it, or --cell and --map.")
    cells = None if cell is None else editing.parse_cells(cell, (height, width), "cell")
    numbers = None if maps is None else editing.parse_numbers(maps, count, "map", "maps")
    return editing.part_directions(draws, cells=cells, maps=numbers)
