"""What each latent costs: a training step and a generated picture, timed in turn, so that a busy machine hits all."""

from __future__ import annotations

import copy
import statistics
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from spatialvae.benchmarking.timing import Work, interleaved, ratios
from spatialvae.elbo import elbo_loss
from spatialvae.model import SpatialVAE
from spatialvae.results import Cost
from spatialvae.seeding import seeded

__all__ = ["GENERATION", "Timing", "cost_of", "measure_costs"]

STEPS = 2
GENERATED = 500
GENERATION = 10_000
"""Images whose generation a report gives the time of."""


@dataclass(frozen=True)
class Timing:
    """Median seconds of one training step and of one generated picture, and their ratios to the baseline's.

    A ratio is the median over rounds of the ratio within a round.
    """

    step_seconds: float
    step_ratio: float
    picture_seconds: float
    picture_ratio: float
    rounds: int


def measure_costs(models: dict[str, SpatialVAE], images: Tensor, baseline: str, rounds: int = 5) -> dict[str, Timing]:
    """Time every model in turn, round after round, after one round of warm-up.

    Args:
        models: by name, all on one device; copies are trained, the models stay as they are.
        images: one uint8 training batch [B C H W].
        baseline: whose time is 1.
    """
    works: dict[str, Work] = {}
    for name, model in models.items():
        trained = copy.deepcopy(model).train()
        optimizer = torch.optim.Adam(trained.parameters(), fused=True)
        works[f"{name} steps"] = partial(_train, trained, optimizer, images.to(model.device))
        works[f"{name} pictures"] = partial(model.sample, GENERATED)
    with seeded(0):
        taken = interleaved(works, rounds, models[baseline].device)
    steps = {name: [value / STEPS for value in taken[f"{name} steps"]] for name in models}
    pictures = {name: [value / GENERATED for value in taken[f"{name} pictures"]] for name in models}
    return {
        name: Timing(
            statistics.median(steps[name]),
            statistics.median(ratios(steps[name], steps[baseline])),
            statistics.median(pictures[name]),
            statistics.median(ratios(pictures[name], pictures[baseline])),
            rounds,
        )
        for name in models
    }


def cost_of(timing: Timing, steps: float) -> Cost:
    """What a model costs an epoch of so many training steps, and for 10,000 generated images.

    >>> cost_of(Timing(0.5, 2.0, 1e-3, 1.5, 5), 10).epoch_seconds
    5.0
    """
    return Cost(
        **vars(timing),
        epoch_seconds=timing.step_seconds * steps,
        epoch_ratio=timing.step_ratio,
        generation_seconds=timing.picture_seconds * GENERATION,
        generation_ratio=timing.picture_ratio,
    )


def _train(model: SpatialVAE, optimizer: torch.optim.Optimizer, images: Tensor) -> None:
    for _ in range(STEPS):
        elbo_loss(model(images)).backward()
        optimizer.step()
        optimizer.zero_grad()
