"""The one exception for mistakes a user can make, and the words that point to the nearest valid choice."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["UserError", "last_line", "nearest"]


class UserError(ValueError):
    """A mistake in what the user asked for: one or two plain lines, shown without a traceback (exit code 2).

    The message names the value that came, the rule it breaks and the nearest valid choice.
    """


def last_line(error: BaseException) -> str:
    """What an exception of other people's code says, in a line: TorchScript puts the reason under its own traceback.

    >>> print(last_line(RuntimeError(f"Traceback: line 3 {chr(10)} AssertionError: 64 pixels, please")))
    AssertionError: 64 pixels, please
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1][:200]


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
    close = difflib.get_close_matches(value.lower(), options, n=1, cutoff=0.5)
    if close:
        return f"Did you mean '{close[0]}'?"
    more = f" and {len(options) - MOST} more" if len(options) > MOST else ""
    return f"Choose from: {', '.join(options[:MOST])}{more}."
