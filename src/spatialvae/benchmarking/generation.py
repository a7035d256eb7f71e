"""How long it takes to draw pictures by a likelihood, beside decoding their codes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

from spatialvae.model import SpatialVAE
from spatialvae.runtime.evaluating import evaluating

__all__ = ["GenerationTime", "generation_time"]


@dataclass(frozen=True)
class GenerationTime:
    """Seconds of one batch, medians over rounds."""

    decoding: float
    """From codes to the likelihood's parameters."""
    drawing: float
    """From these to pictures drawn from the likelihood."""

    @property
    def ratio(self) -> float:
        """(decoding + drawing) / decoding: how many times as long as decoding alone it takes to make pictures."""
        return (self.decoding + self.drawing) / self.decoding


@torch.no_grad()
def generation_time(model: SpatialVAE, count: int = 16, rounds: int = 3) -> GenerationTime:
    """Time both parts of drawing `count` pictures of random codes together, after one round that does not count.

    Args:
        model: in whichever mode; it is measured in evaluation mode.
        count: pictures in the batch.
        rounds: of which the medians are given.
    """
    codes = torch.randn(count, *model.latent.event_shape, device=model.device)
    with evaluating(model):
        pixels = model.decode(codes)
        pixels.sample()
        decoding = [_seconds(lambda: model.decode(codes), model.device) for _ in range(rounds)]
        drawing = [_seconds(pixels.sample, model.device) for _ in range(rounds)]
    return GenerationTime(median(decoding), median(drawing))


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
