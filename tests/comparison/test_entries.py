"""What an entry says of several seeds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from spatialvae.comparison.entries import Trained, health_over_seeds, training_seconds
from tests.metrics.results import evaluation, health


def trained(seed: int, kl: float, alarms: list[str]) -> Trained:
    return Trained(seed, Path(f"seed-{seed}"), replace(evaluation(), health=health(kl=kl, alarms=tuple(alarms))))


def test_an_alarm_is_told_once_with_the_seeds_that_raised_it() -> None:
    runs = [trained(0, 1.0, ["holes", "narrow"]), trained(1, 2.0, ["holes"]), trained(2, 6.0, ["narrow", "holes"])]
    result = health_over_seeds(runs)
    assert result is not None
    assert result.alarms == ("holes", "seeds 0, 2: narrow")
    assert (result.kl, result.row_scale) == (3.0, None)
    alone = health_over_seeds(runs[:1])
    assert alone is not None and alone.alarms == ("holes", "narrow")


def test_the_journals_say_how_long_training_took(tmp_path: Path) -> None:
    lines = [
        {"images": 1000, "validation_bound": -3.0},
        {"images": 2000, "loss": 3.0, "images_per_second": 100.0},
        {"images": 5000, "loss": 2.0, "images_per_second": 300.0},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    one = Trained(0, tmp_path, evaluation())
    assert training_seconds([one, one]) == pytest.approx(2 * (20 + 10))
    assert training_seconds([Trained(0, tmp_path / "none", one.evaluation)]) == 0
