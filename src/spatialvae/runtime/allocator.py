"""Memory that a CPU's loops free and ask for again: kept in the process instead of handed back and forth."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["freed_memory_kept"]

# Numbers of glibc's <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4

KEEP = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_MMAP_THRESHOLD: 2**25}
"""No block is mapped for itself, and the heap's end is not given back."""
AS_GLIBC = {M_MMAP_MAX: 65536, M_TRIM_THRESHOLD: 2**26, M_MMAP_THRESHOLD: 2**25}
"""glibc's own numbers once it has seen blocks of some 10 MB: the thresholds that it reaches by itself."""

_kept = [False]


@contextmanager
def freed_memory_kept(kept: bool = True) -> Iterator[None]:
    """Inside, what the process frees stays with it for the next step; afterwards glibc's own numbers hold.

    By default glibc hands the heap's end back to the system after every step, and the system clears each page that it
    gives out anew: some 10,000 page faults in a training step on 100 images of 64x64, 900,000 on 1,000. The price is a
    peak that may be half as high again with large batches, since blocks of other sizes must find their room. Elsewhere
    than on glibc, or with another allocator in its place, nothing changes.

    >>> with freed_memory_kept():
    ...     pass
    """
    before = _kept[0]
    _set(kept)
    try:
        yield
    finally:
        _set(before)


def _set(kept: bool) -> None:
    if kept != _kept[0] and (mallopt := _mallopt()) is not None:
        for name, value in (KEEP if kept else AS_GLIBC).items():
            mallopt(name, value)
        _kept[0] = kept


def _mallopt() -> Callable[[int, int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "mallopt", None)
