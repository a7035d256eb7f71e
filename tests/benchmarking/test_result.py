"""The numbers from seconds that are given: what is a share of what, and within a round."""

from __future__ import annotations

import dataclasses

import pytest

from spatialvae.benchmarking import Measured
from spatialvae.benchmarking.operations import Operations
from spatialvae.benchmarking.stages import STAGES


def measured(busy: float = 1.0) -> Measured:
    """Three rounds of which the second takes `busy` times as long in everything: 10 steps of 100 images a round."""
    rounds = (1.0, busy, 1.0)
    parts = {name: 0.1 for name in STAGES} | {"latent": 0.05, "backward_latent": 0.15}  # 8 stages, 0.8 s in all
    return Measured(
        batch_size=100,
        steps=10,
        generated=1000,
        checkpoint_every=2000,
        real=[2.0 * r for r in rounds],
        checkpointed=[0.2 * r for r in rounds],
        bare=[1.9 * r for r in rounds],
        eager=[4.0 * r for r in rounds],
        sampling=[0.5 * r for r in rounds],
        eager_sampling=[2.5 * r for r in rounds],
        stages=[{name: value * r for name, value in parts.items()} for r in rounds],
        peaks={"matmul": [1e6 / r for r in rounds], "conv": [2e6 / r for r in rounds]},
        training=Operations(flops=1000.0, bytes=500.0),
        decoding=Operations(flops=100.0, bytes=100.0),
    )


@pytest.mark.parametrize("busy", [1.0, 7.0])
def test_rates_and_ratios(busy: float) -> None:
    results = {name: spread.median for name, spread in measured(busy).spreads().items()}
    assert results == {
        "training_images_per_second": pytest.approx(500),
        "sampling_images_per_second": pytest.approx(2000),
        "ratio_to_bare_loop": pytest.approx(0.95),
        "ratio_to_eager_fp32": pytest.approx(2.0),
        "sampling_ratio_to_eager_fp32": pytest.approx(5.0),
        "latent_share": pytest.approx(0.05 / 0.8),
        "latent_share_with_backward": pytest.approx(0.20 / 0.8),
        "peak_share": pytest.approx(500 * 1000 / 2e6),
        "sampling_peak_share": pytest.approx(2000 * 100 / 2e6),
        "step_seconds": pytest.approx(0.2),
    }


def test_a_busy_round_widens_rates_and_leaves_ratios() -> None:
    spreads = measured(7.0).spreads()
    assert spreads["ratio_to_bare_loop"].lower == pytest.approx(spreads["ratio_to_bare_loop"].upper)
    assert spreads["peak_share"].lower == pytest.approx(spreads["peak_share"].upper)
    assert spreads["training_images_per_second"].lower < 0.8 * 500


def test_a_checkpoint_is_shared_out_over_its_steps() -> None:
    slow = dataclasses.replace(measured(), checkpointed=[1.2, 1.2, 1.2])
    assert slow.checkpoint_seconds == pytest.approx(1.0)  # above the 0.2 s of a step
    assert slow.step_seconds == pytest.approx([0.2 + 1.0 / 20] * 3)  # one in 2,000 images, 20 steps
    assert slow.spreads()["ratio_to_bare_loop"].median == pytest.approx(0.19 / 0.25)
    quick = dataclasses.replace(measured(), checkpointed=[0.1, 0.1, 0.1])
    assert quick.checkpoint_seconds == 0.0  # noise is not given back


def test_json() -> None:
    result = measured().as_dict()
    assert set(result["stages"]) == set(STAGES)
    assert result["spreads"]["latent_share"] == dataclasses.asdict(measured().spreads()["latent_share"])
    assert result["operations"]["training"] == {"flops": 1000.0, "bytes": 500.0, "flops_per_byte": 2.0}
    assert result["peak_flops_per_second"]["conv"]["median"] == 2e6
