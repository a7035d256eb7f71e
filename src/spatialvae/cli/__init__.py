"""The command line: parse, call the library, print. Heavy imports live inside the commands."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from spatialvae._version import __version__
from spatialvae.cli.plugin_flag import Plugins, with_plugins
from spatialvae.cli.repeated_flags import SeveralValues
from spatialvae.cli.suggestions import suggested_command, suggested_flag
from spatialvae.errors import UserError, with_flags

__all__ = ["app", "main"]

UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""click's class, or that of the copy of click inside newer versions of typer."""


OUT_OF_MEMORY = ("out of memory", "not enough memory", "allocate memory", "Storage size calculation overflowed")
"""What torch says on each device, for want of a class of its own."""


class PlainGroup(TyperGroup):
    """The list of commands in plain text: the help of the program itself answers before Rich is even imported."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "rich_markup_mode": None})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that was named, or the error with the name that it has here."""
        try:
            return super().resolve_command(ctx, args)
        except UsageError:
            if ours := suggested_command(args[0]):
                ctx.fail(f"No such command '{args[0]}'. Did you mean '{ours}'?")
            raise


app = typer.Typer(
    name="spatialvae",
    cls=PlainGroup,
    help="Variational auto-encoders whose latents are maps.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


COMMANDS: dict[str, type[TyperCommand]] = {
    "train": TyperCommand,
    "sample": TyperCommand,
    "reconstruct": TyperCommand,
    "interpolate": TyperCommand,
    "traverse": TyperCommand,
    "transplant": TyperCommand,
    "inpaint": TyperCommand,
    "influence": TyperCommand,
    "evaluate": TyperCommand,
    "compare": SeveralValues,
    "baseline": TyperCommand,
    "bench": TyperCommand,
    "fit_prior": TyperCommand,
    "data": TyperCommand,
    "latents": TyperCommand,
}
"""The commands in the order of the help, each with how its words are read; a file of this folder for each."""


def _add(name: str, reader: type[TyperCommand]) -> None:
    """The command in the file of its name; the list of all shows the whole first line of its text, never cut."""
    command = getattr(import_module(f"spatialvae.cli.{name}"), name)
    first, _, _ = (command.__doc__ or "").partition("\n")
    app.command(name.replace("_", "-"), short_help=first, cls=reader)(with_plugins(command))


for _name, _reader in COMMANDS.items():
    _add(_name, _reader)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"spatialvae {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    plugin: Plugins = None,
) -> None:
    pass


def main() -> None:
    """Run the program; a user's mistake is one or two plain lines and exit code 2, a warning is one line."""
    with warnings.catch_warnings():
        warnings.showwarning = _warn
        _run()


def _usage(error: Any) -> str:
    """The parser's words; of an unknown flag what it is called here, or what it is spelled like."""
    context = getattr(error, "ctx", None)
    message = error.format_message()
    if context is not None and hasattr(error, "possibilities"):
        flags = [name for parameter in context.command.params for name in parameter.opts]
        ours = suggested_flag(error.option_name, flags)
        meant = [ours] if ours else sorted(error.possibilities or [])
        message = error.message + (f". Did you mean {' or '.join(meant)}?" if meant else ".")
    return f"{message}\nTry '{context.command_path if context else 'spatialvae'} --help'."


def _warn(message: Warning | str, *_: Any) -> None:
    print(f"Warning: {with_flags(str(message))}", file=sys.stderr, flush=True)


def _run() -> None:
    try:
        sys.exit(app(args=sys.argv[1:] or ["--help"], prog_name="spatialvae", standalone_mode=False))
    except UserError as error:
        complaint = error.with_flags()
    except UsageError as error:  # an unknown flag, a value of the wrong type
        complaint = _usage(error)
    except BrokenPipeError:
        sys.exit(1)
    except (PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        complaint = f"{error.filename2 or error.filename} cannot be used: {error.strerror}."
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(words in str(error) for words in OUT_OF_MEMORY):
            raise
        complaint = (
            "There is not enough memory for this.\nAsk for less (--batch-size, --count, --generated, --image-size, "
            "--maps), or give another --device."
        )
    print(f"Error: {complaint}", file=sys.stderr)
    sys.exit(2)
