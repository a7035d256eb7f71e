"""The command line: parse, call the library, print. Heavy imports live inside the commands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from spatialvae._version import __version__
from spatialvae.cli import look, measure, run
from spatialvae.errors import UserError

__all__ = ["app", "main"]

app = typer.Typer(
    name="spatialvae",
    help="Variational auto-encoders whose latents are maps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    run.train,
    look.sample,
    look.reconstruct,
    look.interpolate,
    measure.evaluate,
    measure.compare,
):
    app.command()(command)
app.command("data")(look.data)
app.command("latents")(look.latents)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"spatialvae {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the program; a user's mistake is one or two plain lines and exit code 2."""
    try:
        app()
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
