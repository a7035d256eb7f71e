"""What each latent costs: a training step and a generated picture, timed in turn, so that a busy machine hits all."""

from __future__ import annotations

import copy
import statistics
from functools import partial

import torch
from torch import Tensor

from spatialvae.benchmarking.timing import Work, interleaved, ratios, seconds
from spatialvae.elbo import elbo_loss
from spatialvae.model import SpatialVAE
from spatialvae.results import Cost
from spatialvae.seeding import seeded

__all__ = ["GENERATION", "measure_costs"]

STEPS = 2
GENERATED, FEW = 500, 16
"""Pictures a round, and of slow models at least so many."""
ROUND_SECONDS = 1.0
"""What a round may take for pictures of the baseline."""
GENERATION = 10_000
"""Images whose generation a report gives the time of."""


def measure_costs(
    models: dict[str, SpatialVAE], images: Tensor, baseline: str, steps: float, rounds: int = 5
) -> dict[str, Cost]:
    """Time every model in turn, round after round, after one round of warm-up.

    Args:
        models: by name, all on one device; copies are trained, the models stay as they are.
        images: one uint8 training batch [B C H W].
        baseline: whose time is 1.
        steps: training steps of an epoch.
        rounds: how often each takes its turn.
    """
    works: dict[str, Work] = {}
    pictures = _pictures(models[baseline])
    for name, model in models.items():
        trained = copy.deepcopy(model).train()
        optimizer = torch.optim.Adam(trained.parameters(), fused=True)
        works[f"{name} steps"] = partial(_train, trained, optimizer, images.to(model.device))
        works[f"{name} pictures"] = partial(model.sample, pictures)
    with seeded(0):
        taken = interleaved(works, rounds, models[baseline].device)
    step = {name: [value / STEPS for value in taken[f"{name} steps"]] for name in models}
    picture = {name: [value / pictures for value in taken[f"{name} pictures"]] for name in models}
    return {name: _cost(step[name], step[baseline], picture[name], picture[baseline], steps) for name in models}


def _pictures(model: SpatialVAE) -> int:
    """How many pictures are timed in a round: fewer of a model that needs long for one."""
    model.sample(FEW)  # warms up
    taken = seconds(partial(model.sample, FEW), model.device)
    return max(FEW, min(GENERATED, round(FEW * ROUND_SECONDS / taken)))


def _cost(
    step: list[float], baseline_step: list[float], picture: list[float], baseline_picture: list[float], steps: float
) -> Cost:
    """Medians over rounds of the seconds of a step and of a picture, and of the ratios within a round."""
    step_seconds, step_ratio = statistics.median(step), statistics.median(ratios(step, baseline_step))
    picture_seconds, picture_ratio = statistics.median(picture), statistics.median(ratios(picture, baseline_picture))
    return Cost(
        step_seconds=step_seconds,
        step_ratio=step_ratio,
        picture_seconds=picture_seconds,
        picture_ratio=picture_ratio,
        rounds=len(step),
        epoch_seconds=step_seconds * steps,
        epoch_ratio=step_ratio,
        generation_seconds=picture_seconds * GENERATION,
        generation_ratio=picture_ratio,
    )


def _train(model: SpatialVAE, optimizer: torch.optim.Optimizer, images: Tensor) -> None:
    for _ in range(STEPS):
        elbo_loss(model(images)).backward()
        optimizer.step()
        optimizer.zero_grad()
