"""The time of drawing pictures beside that of decoding: both parts are measured, each on its own."""

from __future__ import annotations

import pytest

from spatialvae.benchmarking.generation import GenerationTime, generation_time
from spatialvae.config import ModelConfig
from spatialvae.model import SpatialVAE


def test_the_ratio_is_of_both_parts_to_decoding() -> None:
    assert GenerationTime(decoding=2.0, drawing=6.0).ratio == pytest.approx(4)


def test_both_parts_are_measured() -> None:
    config = ModelConfig(latent="naive", maps=2, likelihood="pixelcnn:layers=1,width=4", image_size=(8, 8), channels=1)
    times = generation_time(SpatialVAE.from_config(config), count=2, rounds=1)
    assert times.decoding > 0
    assert times.drawing > 0
    assert times.ratio > 1
