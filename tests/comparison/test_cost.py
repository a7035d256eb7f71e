"""What a latent costs: measured on copies, in turn, as ratios within a round."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch

from spatialvae.benchmarking import timing
from spatialvae.comparison import measure_costs
from spatialvae.config import ModelConfig
from spatialvae.model import SpatialVAE

module: Any = importlib.import_module("spatialvae.comparison.cost")


def models(*latents: str) -> dict[str, SpatialVAE]:
    configs = {name: ModelConfig(latent=name, maps=2, image_size=(8, 8), channels=1) for name in latents}
    return {name: SpatialVAE.from_config(config).eval() for name, config in configs.items()}


def images() -> torch.Tensor:
    return torch.randint(0, 256, (6, 1, 8, 8), dtype=torch.uint8)


def test_the_models_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GENERATED", 5)
    measured = models("vector", "low-rank")
    before = {name: {k: v.clone() for k, v in model.state_dict().items()} for name, model in measured.items()}
    costs = measure_costs(measured, images(), "vector", 4.5, rounds=2)
    for name, model in measured.items():
        assert not model.training
        assert all(torch.equal(value, before[name][key]) for key, value in model.state_dict().items())
        assert all(parameter.grad is None for parameter in model.parameters())
    assert (costs["vector"].step_ratio, costs["vector"].picture_ratio) == (1.0, 1.0)
    assert all(cost.rounds == 2 for cost in costs.values())
    for cost in costs.values():
        assert cost.step_seconds and cost.picture_seconds
        assert cost.epoch_seconds == pytest.approx(4.5 * cost.step_seconds)
        assert cost.generation_seconds == pytest.approx(10_000 * cost.picture_seconds)


def test_ratios_are_medians_within_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    # A busy second doubles everything of one round: the ratio stays, the first round (warm-up) does not count.
    measured = models("vector", "low-rank")
    monkeypatch.setattr(module, "_pictures", lambda _: module.GENERATED)
    script = iter(
        (
            *(90.0, 90.0, 90.0, 90.0),  # vector's step and pictures, low-rank's step and pictures: the warm-up
            *(2.0, 500.0, 3.0, 1000.0),
            *(4.0, 1000.0, 6.0, 2000.0),
            *(2.0, 500.0, 8.0, 5000.0),
        )
    )
    timed: list[Callable[[], object]] = []

    def clock(work: Callable[[], object], *_: object) -> float:
        timed.append(work)
        return next(script)

    monkeypatch.setattr(timing, "seconds", clock)
    costs = measure_costs(measured, images(), "vector", 4.5, rounds=3)
    low_rank = costs["low-rank"]
    assert (low_rank.step_ratio, low_rank.picture_ratio) == (1.5, 2.0)
    assert (low_rank.step_seconds, low_rank.picture_seconds) == (6.0 / module.STEPS, 2000.0 / module.GENERATED)
    assert costs["vector"].step_seconds == 2.0 / module.STEPS
    assert len(timed) == 16
    assert timed[:4] == timed[4:8]


@pytest.mark.parametrize(("taken", "pictures"), [(0.001, 500), (0.16, 100), (60.0, 16)])
def test_slow_models_are_timed_on_fewer_pictures(monkeypatch: pytest.MonkeyPatch, taken: float, pictures: int) -> None:
    monkeypatch.setattr(module, "seconds", lambda *_: taken)  # of 16 pictures
    assert module._pictures(models("naive")["naive"]) == pictures


def test_what_is_timed_is_training_and_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = models("naive")
    monkeypatch.setattr(module, "_pictures", lambda _: module.GENERATED)
    drawn: list[int] = []
    monkeypatch.setattr(SpatialVAE, "sample", lambda self, count, **_: drawn.append(count))
    seen: list[torch.Tensor] = []
    forward = SpatialVAE.forward

    def noted(self: SpatialVAE, batch: torch.Tensor) -> Any:
        assert self.training
        assert self is not measured["naive"]
        seen.append(batch)
        return forward(self, batch)

    monkeypatch.setattr(SpatialVAE, "forward", noted)
    batch = images()
    measure_costs(measured, batch, "naive", 1, rounds=1)
    assert drawn == [module.GENERATED] * 2
    assert len(seen) == 2 * module.STEPS
    assert all(torch.equal(one, batch) for one in seen)
