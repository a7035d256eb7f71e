"""Long work on stderr: a line that moves on a terminal, and in a log a plain line now and then."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

__all__ = ["Progress", "spell_time"]

FIRST_LINE, NEXT_LINES = 3.0, 30.0
"""Seconds between the lines of a log. What is done before the first is done without a word."""
TITLE, BAR = 18, 8
"""Characters of a terminal's line; the percentage and the details share the rest."""


class Progress:
    """One piece of work: how far it is, how long it still takes, and what its owner says of it.

    On a terminal that is one line, in which what does not fit is left out from the end, so that the percentage and the
    time left are always whole. Elsewhere it is a plain line after three seconds and every thirty from then on.

    The time left follows from the pace since the first `update`: what comes before it, as a first step, is warm-up.

    >>> with Progress("metrics", 10, shown=False) as work:
    ...     work.advance(10)

    Args:
        total: in images, or whatever is counted; None where nobody knows.
        done: what was done before.
    """

    def __init__(self, title: str, total: int | None, done: int = 0, *, shown: bool = True) -> None:
        self._title, self._total, self._done, self._shown = title, total, done, shown
        self._first: tuple[float, int] | None = None
        self._due, self._last = time.monotonic() + FIRST_LINE, float("-inf")
        self._moving = _moving() if shown and _on_a_terminal() else None
        if self._moving is not None:
            short = title if len(title) <= TITLE else f"…{title[1 - TITLE :]}"
            self._task = self._moving.add_task(short, total=total, completed=done, details="")

    def advance(self, count: int = 1) -> None:
        """So many more are done."""
        self.update(self._done + count)

    def update(self, done: int, *details: str, due: bool = False) -> None:
        """`done` of the total are done; `details` are the owner's words, the most important first.

        Args:
            due: say it in a log now, unless another line came within the last three seconds and more is to come.
        """
        now, self._done = time.monotonic(), done
        self._first = self._first or (now, done)
        if self._moving is not None:
            words = [word for word in (self._left(now), *details) if word]
            room = self._moving.console.width - TITLE - BAR - len("  100% ")
            while len("  ".join(words)) > room and len(words) > 1:
                words.pop()
            self._moving.update(self._task, completed=done, details="  ".join(words))
        elif self._shown and (now >= self._due or (due and self._settled(now))):
            self._due, self._last = now + NEXT_LINES, now
            self.say(", ".join([f"{self._title}: {self._share()}", *filter(None, [self._left(now), *details])]))

    def _settled(self, now: float) -> bool:
        """Whether the last line is old enough for another, or the work complete."""
        return now - self._last >= FIRST_LINE or self._done == self._total

    def say(self, line: str) -> None:
        """A line that stays."""
        if self._moving is not None:
            self._moving.console.print(line, markup=False, highlight=False, soft_wrap=True)
        elif self._shown:
            print(line, file=sys.stderr, flush=True)

    def _share(self) -> str:
        return f"{self._done:,}" if not self._total else f"{self._done / self._total:.0%} of {self._total:,}"

    def _left(self, now: float) -> str:
        """The time left in words, nothing where it is not known."""
        began, before = self._first or (now, self._done)
        if not self._total or self._done <= before or self._done >= self._total:
            return ""
        return f"{spell_time((now - began) * (self._total - self._done) / (self._done - before))} left"

    def __enter__(self) -> Self:
        if self._moving is not None:
            self._moving.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._moving is not None:
            self._moving.stop()


def spell_time(seconds: float) -> str:
    """A length of time, as exactly as a guess deserves.

    >>> [spell_time(seconds) for seconds in (0.2, 42, 740, 7300, 400_000)]
    ['1 s', '42 s', '12 min', '2.0 h', '4.6 days']
    """
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def _on_a_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _moving() -> Bar:
    """Rich's display of one task."""
    from spatialvae.globals import globals_kept  # here, since the command line's help does not wait for torch

    with globals_kept():  # rich draws from Python's random numbers when it is imported
        from rich.console import Console  # here, since the library alone should not wait for it
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=BAR),
        TaskProgressColumn(),
        TextColumn("{task.fields[details]}", markup=False),
    )
    return Progress(*columns, console=Console(stderr=True))
