"""The command line: parse, call the library, print. Heavy imports live inside the commands."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from spatialvae._version import __version__
from spatialvae.cli import bench, compare, edit, evaluate, fit_prior, influence, look, run, traverse
from spatialvae.cli.several import SeveralValues
from spatialvae.errors import UserError

__all__ = ["app", "main"]

UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""click's class, or that of the copy of click inside newer versions of typer."""


class PlainGroup(TyperGroup):
    """The list of commands in plain text: the help of the program itself answers before Rich is even imported."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "rich_markup_mode": None})


app = typer.Typer(
    name="spatialvae",
    cls=PlainGroup,
    help="Variational auto-encoders whose latents are maps.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    run.train,
    look.sample,
    look.reconstruct,
    edit.interpolate,
    traverse.traverse,
    edit.transplant,
    edit.inpaint,
    influence.influence,
    evaluate.evaluate,
):
    app.command()(command)
app.command("compare", cls=SeveralValues)(compare.compare)
app.command("bench")(bench.bench)
app.command("fit-prior")(fit_prior.fit_prior)
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
        sys.exit(app(args=sys.argv[1:] or ["--help"], prog_name="spatialvae", standalone_mode=False))
    except UserError as error:
        complaint = str(error)
    except UsageError as error:  # an unknown flag, a value of the wrong type
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "spatialvae"
        complaint = f"{error.format_message()}\nTry '{command} --help'."  # pyright: ignore[reportAttributeAccessIssue]
    except BrokenPipeError:
        sys.exit(1)
    except (PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        complaint = f"{error.filename2 or error.filename} cannot be used: {error.strerror}."
    print(f"Error: {complaint}", file=sys.stderr)
    sys.exit(2)
