"""The one exception for mistakes a user can make, and the words that point to the nearest valid choice."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

__all__ = ["UserError", "last_line", "meant", "nearest", "with_flags"]

SETTING = re.compile("`([a-z_]+)`")


class UserError(ValueError):
    """A mistake in what the user asked for: one or two plain lines, shown without a traceback (exit code 2).

    The message names the value, the rule that it breaks and the nearest valid choice. A setting stands in it between
    backquotes, by its name in Python; the command line shows the flag of that name.

    >>> error = UserError("`map_size` 9x9 does not fit into images of 8x8: use at most 8x8.")
    >>> print(error)
    map_size 9x9 does not fit into images of 8x8: use at most 8x8.
    >>> print(error.with_flags())
    --map-size 9x9 does not fit into images of 8x8: use at most 8x8.
    """

    def __init__(self, message: str = "") -> None:
        self.message = message
        super().__init__(SETTING.sub(r"\1", message))

    def with_flags(self) -> str:
        """The message as the command line says it: each setting by its flag."""
        return with_flags(self.message)

    def __reduce__(self) -> tuple[type[UserError], tuple[str]]:
        return type(self), (self.message,)


def with_flags(message: str) -> str:
    """A message as the command line says it: each setting between backquotes by its flag.

    >>> with_flags("only 3 pictures: give `skip_bad_images` to leave the others out")
    'only 3 pictures: give --skip-bad-images to leave the others out'
    """
    return SETTING.sub(lambda match: "--" + match[1].replace("_", "-"), message)


def last_line(error: BaseException) -> str:
    """What an exception of other people's code says, in a line: TorchScript puts the reason under its own traceback.

    >>> print(last_line(RuntimeError(f"Traceback: line 3 {chr(10)} AssertionError: 64 pixels, please")))
    AssertionError: 64 pixels, please
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1][:200]


def meant(value: str, choices: Iterable[str]) -> str:
    """The choice closest to `value`, as a question; empty where none is close: for a message that lists them anyway.

    >>> meant("low_rank", ["vector", "low-rank"]), meant("zzz", ["vector", "low-rank"])
    ("Did you mean 'low-rank'?", '')
    """
    close = difflib.get_close_matches(value.lower(), list(choices), n=1, cutoff=0.5)
    return f"Did you mean '{close[0]}'?" if close else ""


MOST = 30
"""Choices that a message lists."""


def nearest(value: str, choices: Iterable[str]) -> str:
    """The end of an error message: the choice closest to `value`, or all of them (of many some) when none is close.

    >>> nearest("low_rank", ["vector", "low-rank"])
    "Did you mean 'low-rank'?"
    >>> nearest("zzz", ["vector", "naive"])
    'Choose from: vector, naive.'
    """
    options = [str(choice) for choice in choices]
    if close := meant(value, options):
        return close
    more = f" and {len(options) - MOST} more" if len(options) > MOST else ""
    return f"Choose from: {', '.join(options[:MOST])}{more}."
