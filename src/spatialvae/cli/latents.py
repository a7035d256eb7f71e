"""`spatialvae latents`: the latents that there are to choose from."""

from __future__ import annotations

from typing import Annotated

import typer

from spatialvae.cli.options import Json
from spatialvae.cli.output import emit

__all__ = ["latents"]


def latents(
    maps: Annotated[int, typer.Option(min=1, help="Latent maps.")] = 64,
    map_size: Annotated[str, typer.Option(help="Size of the maps, SIDE or HEIGHTxWIDTH.")] = "3",
    json: Json = False,
) -> None:
    """List the latents and their options, with description, encoder outputs, shared parameters and equation."""
    from rich.console import Console
    from rich.table import Table

    from spatialvae.latents import variants
    from spatialvae.sizes import parse_size

    height, width = parse_size(map_size, "map_size")
    listed = variants((maps, height, width))
    if json:
        rows = [
            {
                "name": name,
                "description": latent.description,
                "maps": list(latent.event_shape),
                "encoder_outputs": latent.encoder_outputs,
                "shared_numbers": latent.shared_numbers,
                "equation": latent.equation,
            }
            for name, latent in listed.items()
        ]
        emit({"latents": rows}, True, [])
        return
    from rich.markup import escape

    table = Table("name", "description", "code", "encoder outputs", "shared", "equation")
    for name, latent in listed.items():
        code = "x".join(str(side) for side in latent.event_shape)
        numbers = (str(latent.encoder_outputs), str(latent.shared_numbers))
        table.add_row(name, latent.description, code, *numbers, escape(latent.equation))
    Console().print(table)
