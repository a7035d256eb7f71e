"""Texts such as ``mixture:components=20``: a name, and options with their values."""

from __future__ import annotations

import re
from collections.abc import Iterable

from spatialvae.errors import UserError, nearest

__all__ = ["split_spec", "whole_number"]


def split_spec(spec: str, what: str, names: Iterable[str]) -> tuple[str, list[tuple[str, str]]]:
    """The name, one of `names`, and the (option, value) pairs of a text; a pair without ``=`` has an empty value.

    Raises:
        UserError: a name that is not there.

    >>> split_spec("mixture:components=20", "prior", ["gaussian", "mixture"])
    ('mixture', [('components', '20')])
    """
    name, _, rest = spec.strip().partition(":")
    if name not in (known := list(names)):
        raise UserError(f"There is no {what} {name!r}. {nearest(name, known)}")
    pairs = (item.partition("=") for item in rest.split(",") if item)
    return name, [(key, value) for key, _, value in pairs]


def whole_number(name: str, key: str, value: str) -> int:
    """An option's value where only a whole number will do.

    Raises:
        UserError: anything else.
    """
    if not re.fullmatch("-?[0-9]+", value):
        written = f"{key}={value}" if value else key
        raise UserError(f"{name}:{written} is not an option: write {key}=NUMBER, for instance {name}:{key}=2.")
    return int(value)
