"""Parts from outside the package: installed packages by their entry points, and one's own file or module by name."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from spatialvae.errors import UserError, last_line

__all__ = ["GROUP", "REGISTERED", "load_entry_points", "load_plugin", "loaded_plugins"]

Result = TypeVar("Result")
GROUP = "spatialvae"
"""Of the entry points of installed packages: each names a module, and importing it registers its parts."""
REGISTERED: list[str] = []
"""Every name that a table was given in this process, in order: what tells whether a plugin registers anything."""
_LOADED: dict[str, ModuleType] = {}
"""Each plugin by the name that the user gave."""


@cache
def load_entry_points() -> None:
    """Import what installed packages offer, once a process; one that fails is left out with a warning."""
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:  # other people's code: whatever it raises, the rest goes on
            warnings.warn(f"The plugin {entry.name} ({entry.value}) cannot be imported: {error!r}.", stacklevel=2)


def load_plugin(name: str | os.PathLike[str]) -> ModuleType:
    """Import a file FILE.py, or a module by its name, so that it registers its parts.

    Only what the user names is ever run; no name comes from a run folder. A warning says where one registers nothing.

    Raises:
        UserError: no such file or module, or it does not import.
    """
    name = os.fspath(name)
    imported, registered = len(sys.modules), len(REGISTERED)
    module = _file(name) if name.endswith(".py") else _imported(name, lambda: importlib.import_module(name))
    if len(sys.modules) > imported and len(REGISTERED) == registered:
        warnings.warn(
            f"The plugin {name} registers no part: give a class a name, as @LATENTS.register does.", stacklevel=2
        )
    _LOADED[name] = module
    return module


def loaded_plugins() -> tuple[str, ...]:
    """The plugins that this process has imported, as the user named them."""
    return tuple(name for name, module in _LOADED.items() if sys.modules.get(module.__name__) is module)


def _file(name: str) -> ModuleType:
    """The module of a file, run once."""
    path = Path(name).expanduser().resolve()
    if not path.is_file():
        raise UserError(f"`plugin` {name} does not exist: give a file FILE.py, or the name of a module.")
    called = f"spatialvae_plugin_{path.stem}"
    module = sys.modules.get(called)
    if module is not None and module.__file__ == str(path):
        return module
    spec = importlib.util.spec_from_file_location(called, path)
    assert spec is not None
    assert spec.loader is not None
    module, loader = importlib.util.module_from_spec(spec), spec.loader
    sys.modules[called] = module  # dataclasses look their module up
    try:
        _imported(name, lambda: loader.exec_module(module))
    except UserError:
        del sys.modules[called]
        raise
    return module


def _imported(name: str, run: Callable[[], Result]) -> Result:
    """What `run` returns; what it raises, as one line."""
    try:
        return run()
    except UserError:
        raise
    except Exception as error:  # other people's code
        raise UserError(f"`plugin` {name} cannot be imported: {type(error).__name__}: {last_line(error)}.") from error
