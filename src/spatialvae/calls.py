"""Calls whose keywords are settings: one that is an argument too is refused in a line, not by Python's own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from typing import ParamSpec, TypeVar

from spatialvae.errors import UserError

__all__ = ["refuse_twice"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def refuse_twice(hints: Mapping[str, str]) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """A decorator of a function whose arguments share names with settings.

    >>> @refuse_twice({"images": "Give the length as `epochs`."})
    ... def train(images: object, **settings: object) -> object:
    ...     return images
    >>> train("digits", images=500)
    Traceback (most recent call last):
    spatialvae.errors.UserError: images is given twice, by its place and by its name. Give the length as epochs.

    Args:
        hints: what to write instead, for arguments that are easily mistaken for a setting.
    """

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        names = list(signature(function).parameters)

        @wraps(function)
        def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            for name in names[: len(args)]:
                if name in kwargs:
                    twice = f"`{name}` is given twice, by its place and by its name."
                    raise UserError(f"{twice} {hints.get(name, 'Leave one of them out.')}")
            return function(*args, **kwargs)

        return checked

    return decorate
