"""Public names of a package that are imported when first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(
    package: str, homes: Mapping[str, str], names: Sequence[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and the `__dir__` of a package whose import should not wait for its heavy modules.

    >>> get, listed = lazy_names("spatialvae", {"UserError": "errors", "errors": ""}, ["UserError", "errors"])
    >>> get("UserError").__name__, get("errors").__name__, listed()
    ('UserError', 'spatialvae.errors', ['UserError', 'errors'])

    Args:
        package: its name, ``__name__``.
        homes: the module of each name within the package, and after a colon what it is called there if it is called
            differently; empty where the name is a module itself.
        names: all public names of the package, those among them that are imported at once too.
    """

    def get(name: str) -> Any:
        if name not in homes:
            from spatialvae.errors import nearest

            raise AttributeError(f"module {package!r} has no attribute {name!r}. {nearest(name, names)}")
        module, _, called = homes[name].partition(":")
        if not module:
            return importlib.import_module(f"{package}.{name}")
        return getattr(importlib.import_module(f"{package}.{module}"), called or name)

    return get, lambda: sorted(names)
