"""Where the time of a training step goes: the step taken apart at the seams that the model has."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from spatialvae.benchmarking.timing import Clock
from spatialvae.data.pixels import to_float
from spatialvae.elbo import ELBO, elbo_loss
from spatialvae.model import SpatialVAE

__all__ = ["STAGES", "Laps", "staged_step"]

STAGES = {
    "data": "the batch, from the data set to the device",
    "encoder": "encoder and projection",
    "latent": "from the projection's output to distribution, sample and KL",
    "decoder": "decoder and likelihood",
    "backward_decoder": "backward through likelihood and decoder",
    "backward_latent": "backward through sample, KL and distribution",
    "backward_encoder": "backward through projection and encoder",
    "optimiser": "the update of the weights",
}
"""The stages of a step in their order, and what each holds."""


class Laps:
    """When each stage ended, by the clock of the device that does the work: the clock on a CPU, events on CUDA.

    Events do not stop the queue, so the laps of a GPU hold the time it waits for the next kernel as well.

    >>> ticks = iter([0.0, 1.0, 4.0])
    >>> laps = Laps(torch.device("cpu"), clock=lambda: next(ticks))
    >>> laps.start()
    >>> laps.end("a")
    >>> laps.end("b")
    >>> laps.seconds()
    {'a': 1.0, 'b': 3.0}
    """

    def __init__(self, device: torch.device, clock: Clock = time.perf_counter) -> None:
        self._cuda = device.type == "cuda"
        self._clock = clock
        self._names: list[str] = []
        self._times: list[float] = []
        self._events: list[torch.cuda.Event] = []

    def start(self) -> None:
        """The first stage begins."""
        self._note()

    def end(self, name: str) -> None:
        """Stage `name` ends, and the next begins."""
        self._names.append(name)
        self._note()

    def seconds(self) -> dict[str, float]:
        """The length of each stage."""
        if self._cuda:
            self._events[-1].synchronize()
            self._times = [self._events[0].elapsed_time(event) / 1000 for event in self._events]
        begins, ends = self._times, self._times[1:]
        return {name: end - begin for name, begin, end in zip(self._names, begins, ends, strict=False)}

    def _note(self) -> None:
        if self._cuda:
            self._events.append(torch.cuda.Event(enable_timing=True))
            self._events[-1].record()
        else:
            self._times.append(self._clock())


def staged_step(
    model: SpatialVAE,
    optimizer: torch.optim.Optimizer,
    batch: Callable[[], Tensor],
    number_format: AbstractContextManager,
    laps: Laps,
) -> dict[str, float]:
    """One eager training step; seconds of every stage of `STAGES`, which add up to the step.

    It is the step of `SpatialVAE.forward` with the KL before the decoder, so that the latent is one piece. The seams
    inside a module are hooks: on the projection's output and on the code, and on the gradients of both.

    Args:
        batch: gives the uint8 images [B C H W] of the step, on the model's device.
        number_format: the autocast that the forward runs in.
    """

    def projected(_module: object, _inputs: object, outputs: Tensor) -> None:
        laps.end("encoder")
        outputs.register_hook(lambda _: laps.end("backward_latent"))

    laps.start()
    images = batch()
    laps.end("data")
    with number_format:
        floats = to_float(images)
        hook = model.posterior.projection.register_forward_hook(projected)
        try:
            posterior = model.posterior(model.encoder(floats))
        finally:
            hook.remove()
        with torch.autocast(floats.device.type, enabled=False):
            codes, kl = posterior.rsample(), kl_divergence(posterior, model.prior())
        codes.register_hook(lambda _: laps.end("backward_decoder"))
        laps.end("latent")
        loss = elbo_loss(ELBO(model.decode(codes).log_prob(floats), kl))
        laps.end("decoder")
    loss.backward()
    laps.end("backward_encoder")
    optimizer.step()
    optimizer.zero_grad()
    laps.end("optimiser")
    return laps.seconds()
