"""Timing in turn: round after round, everything that is compared takes its turn, so that a busy machine hits all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from spatialvae.devices import synchronize

__all__ = ["Clock", "Spread", "Work", "interleaved", "one_round", "ratios", "seconds"]

Clock = Callable[[], float]
"""Seconds since some moment."""
Work = Callable[[], object]
"""Something to be timed; what it returns is thrown away."""


@dataclass(frozen=True)
class Spread:
    """A median over rounds with its interquartile range.

    >>> Spread.of([1.0, 2.0, 3.0, 4.0, 100.0])
    Spread(median=3.0, lower=2.0, upper=4.0)
    """

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Quartiles of one value a round, by linear interpolation; one round is its own quartiles."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, lower, upper)


def seconds(work: Work, device: torch.device, clock: Clock = time.perf_counter) -> float:
    """How long `work` takes, from an idle `device` to an idle `device`."""
    synchronize(device)
    begin = clock()
    work()
    synchronize(device)
    return clock() - begin


def interleaved(
    works: Mapping[str, Work],
    rounds: int,
    device: torch.device,
    *,
    clock: Clock = time.perf_counter,
    say: Callable[[str], None] | None = None,
) -> dict[str, list[float]]:
    """Seconds of each work in each of `rounds` rounds; a round before them warms up and does not count.

    >>> order = []
    >>> works = {name: lambda name=name: order.append(name) for name in "ab"}
    >>> taken = interleaved(works, rounds=2, device=torch.device("cpu"))
    >>> "".join(order), {name: len(values) for name, values in taken.items()}
    ('ababab', {'a': 2, 'b': 2})
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    for round_ in range(rounds + 1):
        if say is not None:
            say(f"round {round_} of {rounds}" if round_ else "warming up")
        for name, value in one_round(works, device, clock).items():
            if round_:
                taken[name].append(value)
    return taken


def one_round(works: Mapping[str, Work], device: torch.device, clock: Clock = time.perf_counter) -> dict[str, float]:
    """Seconds of each work, one after the other."""
    return {name: seconds(work, device, clock) for name, work in works.items()}


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """The ratio within each round.

    >>> ratios([2.0, 6.0], [1.0, 2.0])
    [2.0, 3.0]
    """
    return [a / b for a, b in zip(over, under, strict=True)]
