"""What an entry says of several seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spatialvae.comparison.entries import Trained, health_over_seeds
from spatialvae.comparison.evaluated import Measured


def trained(seed: int, kl: float, alarms: list[str]) -> Trained:
    health: dict[str, Any] = {"kl": kl, "row_scale": None, "alarms": alarms}
    return Trained(seed, Path(f"seed-{seed}"), Measured({}, {}, health, {}, [], ""))


def test_an_alarm_is_told_once_with_the_seeds_that_raised_it() -> None:
    runs = [trained(0, 1.0, ["holes", "narrow"]), trained(1, 2.0, ["holes"]), trained(2, 6.0, ["narrow", "holes"])]
    found = health_over_seeds(runs)
    assert found is not None
    assert found["alarms"] == ["holes", "seeds 0, 2: narrow"]
    assert (found["kl"], found["row_scale"]) == (3.0, None)
    alone = health_over_seeds(runs[:1])
    assert alone is not None and alone["alarms"] == ["holes", "narrow"]
