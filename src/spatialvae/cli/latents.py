"""`spatialvae latents`: the latents that there are to choose from."""

from __future__ import annotations

from typing import Annotated

import typer

from spatialvae.cli.options import Json
from spatialvae.cli.output import emit

__all__ = ["latents"]


def latents(
    maps: Annotated[int, typer.Option(min=1, help="Latent maps.")] = 64,
    map_size: Annotated[str, typer.Option(help="Their size, SIDE or HEIGHTxWIDTH.")] = "3",
    json: Json = False,
) -> None:
    """List the latents and their options: law, encoder outputs, what all images share, equation."""
    from rich.console import Console
    from rich.table import Table

    from spatialvae.latents import variants
    from spatialvae.sizes import parse_size

    height, width = parse_size(map_size, "--map-size")
    found = variants((maps, height, width))
    if json:
        rows = [
            {
                "name": name,
                "law": law.law,
                "maps": list(law.event_shape),
                "encoder_outputs": law.encoder_outputs,
                "shared_numbers": law.shared_numbers,
                "equation": law.equation,
            }
            for name, law in found.items()
        ]
        emit({"latents": rows}, True, [])
        return
    from rich.markup import escape

    table = Table("name", "law", "code", "encoder outputs", "shared", "equation")
    for name, law in found.items():
        code = "x".join(str(side) for side in law.event_shape)
        table.add_row(name, law.law, code, str(law.encoder_outputs), str(law.shared_numbers), escape(law.equation))
    Console().print(table)
