"""`--plugin`: parts of one's own, registered before any name is looked up; never read from a run folder."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable
from typing import Annotated, Any

import typer

from spatialvae.plugins import load_plugin, loaded_plugins

__all__ = ["Plugins", "plugin_words", "with_plugins"]


def _load(context: typer.Context, names: list[str] | None) -> None:
    """Import each plugin as soon as it is read; the shell's completion runs nobody's code."""
    for name in () if context.resilient_parsing else names or ():
        load_plugin(name)


def plugin_words() -> str:
    """The `--plugin` flags of the command that runs, for the command that it advises to run next."""
    return "".join(f" --plugin {shlex.quote(name)}" for name in loaded_plugins())


Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="FILE.py|MODULE",
        callback=_load,
        is_eager=True,
        show_default=False,
        help="Import a file or module that registers your own parts; may be repeated.",
    ),
]
"""An option that has done its work when the command begins."""


def with_plugins(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `--plugin` after its own flags, so that it may stand behind the command's name too."""

    def wrapper(*, plugin: list[str] | None, **arguments: Any) -> None:
        del plugin  # the parser has imported them
        command(**arguments)

    own = inspect.signature(command, eval_str=True).parameters.values()
    flag = inspect.Parameter("plugin", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Plugins)
    wrapper.__doc__, wrapper.__name__ = command.__doc__, command.__name__
    wrapper.__signature__ = inspect.Signature([*own, flag])  # type: ignore[attr-defined]
    return wrapper
