"""Lengths, learning rates and KL weights as functions of the images seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatialvae.config import Optimisation
from spatialvae.training import read_journal, train
from spatialvae.training.schedule import kl_weight, learning_rate, total_images
from tests.training.tiny import settings, tiny_data


@pytest.mark.parametrize(
    ("length", "images"),
    [({"images": 7}, 7), ({"epochs": 2.0}, 100), ({"epochs": 0.5}, 25), ({"epochs": 1e-9}, 1), ({}, 1000)],
)
def test_length(length: dict[str, float], images: int) -> None:
    assert total_images(Optimisation.parse(length, "tests"), 50) == images


def test_warm_up_then_constant() -> None:
    config = Optimisation(learning_rate=0.4, warmup=100)
    assert [learning_rate(config, seen, 1000) for seen in (0, 25, 100, 500, 1000)] == pytest.approx(
        [0, 0.1, 0.4, 0.4, 0.4]
    )


def test_warm_up_then_cosine() -> None:
    config = Optimisation(learning_rate=0.4, warmup=100, schedule="cosine")
    rates = [learning_rate(config, seen, 1100) for seen in (50, 100, 350, 600, 1100, 1200)]
    assert rates == pytest.approx([0.2, 0.4, 0.4 * 0.8535534, 0.2, 0.0, 0.0])


def test_a_warm_up_longer_than_the_run() -> None:
    config = Optimisation(learning_rate=0.4, warmup=100, schedule="cosine")
    assert learning_rate(config, 50, 50) == pytest.approx(0.2)


def test_the_kl_weight_rises_to_beta() -> None:
    assert [kl_weight(settings(beta=4.0, kl_warmup=100), seen) for seen in (0, 25, 100, 900)] == [0.0, 1.0, 4.0, 4.0]
    assert kl_weight(settings(beta=4.0), 0) == 4.0


def test_a_warm_up_that_is_longer_than_the_run_is_told_with_what_it_reaches(tmp_path: Path) -> None:
    config = settings(images=40, kl_warmup=80, beta=2.0, warmup=160, learning_rate=1e-3)
    with pytest.warns(UserWarning, match="is longer than the run") as caught:
        train(config, tiny_data(), tmp_path / "run", progress=False)
    assert [str(warning.message) for warning in caught] == [
        "`warmup` 160 is longer than the run of 40 images: the learning rate ends at 0.00025, not at 0.001.",
        "`kl_warmup` 80 is longer than the run of 40 images: beta ends at 1, not at 2.",
    ]
    last = [line for line in read_journal(tmp_path / "run" / "metrics.jsonl") if "loss" in line][-1]
    assert (last["learning_rate"], last["beta"]) == (pytest.approx(0.00025, rel=0.3), 1.0)


def test_a_warm_up_as_long_as_the_run_is_not(tmp_path: Path) -> None:
    train(settings(images=40, kl_warmup=40, warmup=40), tiny_data(), tmp_path / "run", progress=False)
