"""What makes training on a GPU fast, and is left alone on a CPU: memory layout, kernel choice, compiled graphs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from spatialvae.devices import synchronize
from spatialvae.elbo import ELBO, elbo_loss
from spatialvae.model import SpatialVAE
from spatialvae.rounding import set_rounding
from spatialvae.runtime.compilation import compiled_or_eager
from spatialvae.seeding import seeded

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["MarkedSteps", "compiled_training", "compiling_pays", "faster", "prepare_device", "suit_layout"]

COMPILE_FROM = 10_000
"""Steps: compiling takes about 20 seconds, and a step of a small network gains about 2 milliseconds, the time that a
host takes to launch its few hundred kernels one by one."""

TRIED = 3
"""CUDA graphs warm up in the first call, are recorded in the second and replayed from the third on."""

RACED = 10
"""Steps of each kind that are timed once the compiled ones have been tried."""

GRAPHS = {"triton.cudagraphs": True, "fallback_random": True}
"""The compiled step as one CUDA graph; dropout and noise from torch's own generator, as in eager steps."""


class MarkedSteps(nn.Module):
    """A compiled module that tells CUDA graphs, before each call, that a step begins and the last one is over.

    Once one call has been marked, torch takes all calls until the next mark for one step, and records a graph for each.
    """

    def __init__(self, compiled: nn.Module) -> None:
        super().__init__()
        self.compiled = compiled

    def forward(self, images: Tensor) -> ELBO:
        torch.compiler.cudagraph_mark_step_begin()
        return self.compiled(images)


def prepare_device(device: torch.device, precision: str) -> None:
    """Kernels measured once for the shapes of this run, TF32 for what is left in float32 (not with fp32); GPUs only."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        set_rounding(precision != "fp32", "highest" if precision == "fp32" else "high")


def suit_layout(model: SpatialVAE, device: torch.device) -> SpatialVAE:
    """The model on the device; on a GPU with the channels of a map side by side, as its matrix units read them.

    On a CPU in fp32 it gains nothing that could be told from chance.
    """
    layout = torch.channels_last if device.type == "cuda" else torch.preserve_format
    return model.to(device=device, memory_format=layout)  # pyright: ignore[reportCallIssue]


def compiling_pays(steps: int, accelerator: Accelerator) -> bool:
    """Whether compiling takes less time than it saves in so many steps: on one GPU, for 10,000 steps or more."""
    return accelerator.device.type == "cuda" and accelerator.num_processes == 1 and steps >= COMPILE_FROM


def compiled_training(wrapped: nn.Module, model: SpatialVAE, batch_size: int, **options: object) -> nn.Module:
    """`wrapped` as a compiled module, or itself where that fails or is slower; `model` inside is left as it was.

    Args:
        wrapped: the model as the training step calls it.
        options: of `torch.compile`; without any, CUDA graphs, which are kept only where they win a race.
    """
    shape = (batch_size, model.config.channels, *model.config.image_size)
    images = torch.zeros(shape, dtype=torch.uint8, device=model.device)

    def steps(forward: nn.Module, count: int) -> None:
        for _ in range(count):
            elbo_loss(forward(images)).backward()
            model.zero_grad()

    def as_called(compiled: nn.Module) -> nn.Module:
        return MarkedSteps(compiled) if images.device.type == "cuda" else compiled

    before = [buffer.clone() for buffer in model.buffers()]
    wrapped.train()
    with seeded(0):
        try:
            steps(wrapped, 1)  # fills torch's table of KL divergences, which cannot be traced
            settings = options or {"fullgraph": True, "options": GRAPHS}
            compiled = compiled_or_eager(wrapped, lambda forward: steps(as_called(forward), TRIED), **settings)
            if compiled is wrapped:
                return wrapped
            called = as_called(compiled)
            return called if options or faster(called, wrapped, steps, images.device) else wrapped
        finally:
            model.zero_grad()
            for buffer, value in zip(model.buffers(), before, strict=True):
                buffer.copy_(value)


def faster(
    compiled: nn.Module, eager: nn.Module, steps: Callable[[nn.Module, int], None], device: torch.device
) -> bool:
    """Whether steps of the one take less time than steps of the other; a warning says why, where they do not."""

    def seconds(forward: nn.Module) -> float:
        steps(forward, 1)
        synchronize(device)
        began = time.perf_counter()
        steps(forward, RACED)
        synchronize(device)
        return (time.perf_counter() - began) / RACED

    try:
        slow, fast = seconds(eager), seconds(compiled)
        reason = f"takes {1000 * fast:.1f} ms and the plain one {1000 * slow:.1f} ms"
    except RuntimeError as error:  # beside the plain step's memory there may be none left for the compiled one's
        slow, fast, reason = 0.0, 1.0, f"failed: {' '.join(str(error).split()):.200}"
    if fast >= slow:
        warnings.warn(f"The compiled step {reason}. Training goes on with the plain one.", stacklevel=2)
    return fast < slow
