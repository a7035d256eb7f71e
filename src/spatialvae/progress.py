"""A progress bar on stderr for one long measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["bar"]


@contextmanager
def bar(title: str, total: int, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar called `title`; what it gives is called with the number of images just done.

    >>> with bar("metrics", 10, shown=False) as advance:
    ...     advance(10)
    """
    from spatialvae.globals import globals_kept  # here, since the command line's help does not wait for torch

    with globals_kept():  # rich draws from Python's random numbers when it is imported
        from rich.console import Console  # here, since the library alone should not wait for it
        from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not shown) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.advance(task, done)
