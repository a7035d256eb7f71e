"""Random numbers as a function of a seed, with the state of the global generators left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["seeded", "stream_seed"]


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Draw everything inside from `seed`; None leaves the generators alone.

    >>> with seeded(1):
    ...     a = torch.randn(3)
    >>> with seeded(1):
    ...     b = torch.randn(3)
    >>> torch.equal(a, b)
    True
    """
    if seed is None:
        yield
        return
    # Said explicitly, since fork_rng warns on machines with several GPUs and would wake those that are not in use.
    awake = torch.cuda.is_initialized()
    devices = list(range(torch.cuda.device_count())) if awake else []
    try:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield
    finally:
        if not awake and torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(torch.initial_seed())  # what they would have begun with outside


def stream_seed(seed: int, position: int, rank: int = 0) -> int:
    """One 62-bit seed for the random numbers of one training step: a mix of (seed, position, rank).

    Splitmix64's finaliser over the three, so that neighbouring steps share nothing.

    >>> stream_seed(0, 100) != stream_seed(0, 200)
    True
    """
    mask = (1 << 64) - 1
    value = 0
    for part in (seed, position, rank):
        value = (value ^ (part & mask)) + 0x9E3779B97F4A7C15 & mask
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
        value ^= value >> 31
    return value >> 2
