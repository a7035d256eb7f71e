"""Taking turns, and what is made of the seconds."""

from __future__ import annotations

from itertools import accumulate, cycle

import numpy as np
import pytest
import torch

from spatialvae.benchmarking.timing import Spread, interleaved, ratios, seconds

CPU = torch.device("cpu")


def test_every_round_takes_all_in_turn_and_the_first_does_not_count() -> None:
    order: list[str] = []
    ticks = (float(value) for value in accumulate(cycle([0, 1, 0, 10])))  # "a" takes 1, "b" 10, nothing between
    works = {name: lambda name=name: order.append(name) for name in "ab"}
    messages: list[str] = []
    timings = interleaved(works, 3, CPU, clock=lambda: next(ticks), say=messages.append)
    assert order == list("abababab")
    assert timings == {"a": [1.0] * 3, "b": [10.0] * 3}
    assert messages == ["warming up", "round 1 of 3", "round 2 of 3", "round 3 of 3"]


def test_the_warm_up_is_thrown_away() -> None:
    ticks = iter([0.0, 100.0, 200.0, 202.0])
    assert interleaved({"a": int}, 1, CPU, clock=lambda: next(ticks)) == {"a": [2.0]}


def test_the_clock_is_read_around_the_work() -> None:
    events: list[str] = []

    def clock() -> float:
        events.append("clock")
        return float(len(events))

    assert seconds(lambda: events.append("work"), CPU, clock) == 2.0
    assert events == ["clock", "work", "clock"]


def test_a_busy_round_leaves_the_ratio() -> None:
    assert ratios([3.0, 30.0, 6.0], [1.0, 10.0, 2.0]) == [3.0, 3.0, 3.0]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_quartiles(count: int) -> None:
    values = np.random.default_rng(count).random(count).tolist()
    spread = Spread.of(values)
    assert [spread.lower, spread.median, spread.upper] == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]))
