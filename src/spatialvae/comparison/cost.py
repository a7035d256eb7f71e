"""What each latent costs: a training step and a generated picture, timed in turn, so that a busy machine hits all."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spatialvae.elbo import elbo_loss
from spatialvae.model import SpatialVAE

__all__ = ["Cost", "measure_costs"]

STEPS = 2
GENERATED = 500


@dataclass(frozen=True)
class Cost:
    """Median seconds of one training step and of one generated picture, and their ratios to the baseline's.

    A ratio is the median over rounds of the ratio within a round.
    """

    step_seconds: float
    step_ratio: float
    picture_seconds: float
    picture_ratio: float
    rounds: int


def measure_costs(models: dict[str, SpatialVAE], images: Tensor, baseline: str, rounds: int = 5) -> dict[str, Cost]:
    """Time every model in turn, round after round, after one round of warm-up.

    Args:
        models: by name; copies are trained, the models stay as they are.
        images: one uint8 training batch [B C H W].
        baseline: whose time is 1.
    """
    trained = {name: copy.deepcopy(model).train() for name, model in models.items()}
    optimizers = {name: torch.optim.Adam(model.parameters(), fused=True) for name, model in trained.items()}
    steps: dict[str, list[float]] = {name: [] for name in models}
    pictures: dict[str, list[float]] = {name: [] for name in models}
    for round_ in range(rounds + 1):
        for name, model in trained.items():
            batch = images.to(model.device)
            step = _seconds(lambda m=model, o=optimizers[name], b=batch: _train(m, o, b), model.device) / STEPS
            picture = _seconds(lambda m=models[name]: m.sample(GENERATED), model.device) / GENERATED
            if round_:  # the first round is the warm-up
                steps[name].append(step)
                pictures[name].append(picture)
    return {
        name: Cost(
            statistics.median(steps[name]),
            _ratio(steps[name], steps[baseline]),
            statistics.median(pictures[name]),
            _ratio(pictures[name], pictures[baseline]),
            rounds,
        )
        for name in models
    }


def _train(model: SpatialVAE, optimizer: torch.optim.Optimizer, images: Tensor) -> None:
    for _ in range(STEPS):
        elbo_loss(model(images)).backward()
        optimizer.step()
        optimizer.zero_grad()


def _ratio(values: list[float], baseline: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(values, baseline, strict=True))


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    wait()
    begin = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - begin
