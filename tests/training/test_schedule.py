"""Lengths, learning rates and KL weights as functions of the images seen."""

from __future__ import annotations

import pytest

from spatialvae.training.schedule import kl_weight, learning_rate, total_images
from tests.training.tiny import settings


@pytest.mark.parametrize(
    ("length", "images"),
    [({"images": 7}, 7), ({"epochs": 2.0}, 100), ({"epochs": 0.5}, 25), ({"epochs": 1e-9}, 1), ({}, 1000)],
)
def test_length(length: dict[str, float], images: int) -> None:
    assert total_images(settings(**{"images": None, **length}), 50) == images


def test_warm_up_then_constant() -> None:
    config = settings(learning_rate=0.4, warmup=100)
    assert [learning_rate(config, seen, 1000) for seen in (0, 25, 100, 500, 1000)] == pytest.approx(
        [0, 0.1, 0.4, 0.4, 0.4]
    )


def test_warm_up_then_cosine() -> None:
    config = settings(learning_rate=0.4, warmup=100, schedule="cosine")
    rates = [learning_rate(config, seen, 1100) for seen in (50, 100, 350, 600, 1100, 1200)]
    assert rates == pytest.approx([0.2, 0.4, 0.4 * 0.8535534, 0.2, 0.0, 0.0])


def test_a_warm_up_longer_than_the_run() -> None:
    config = settings(learning_rate=0.4, warmup=100, schedule="cosine")
    assert learning_rate(config, 50, 50) == pytest.approx(0.2)


def test_the_kl_weight_rises_to_beta() -> None:
    assert [kl_weight(settings(beta=4.0, kl_warmup=100), seen) for seen in (0, 25, 100, 900)] == [0.0, 1.0, 4.0, 4.0]
    assert kl_weight(settings(beta=4.0), 0) == 4.0
