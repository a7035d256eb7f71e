"""What makes training on a GPU fast, and is left alone on a CPU: memory layout, kernel choice, compiled graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from spatialvae.elbo import elbo_loss
from spatialvae.model import SpatialVAE
from spatialvae.runtime.compilation import compiled_or_eager
from spatialvae.seeding import seeded

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["compiled_training", "compiling_pays", "prepare_device", "suit_layout"]

COMPILE_FROM = 10_000
"""Steps: compiling takes about 20 seconds, and a step of a small network gains about 2 milliseconds, the time that a
host takes to launch its few hundred kernels one by one."""

TRIED = 3
"""CUDA graphs warm up in the first call, are recorded in the second and replayed from the third on."""

GRAPHS = {"triton.cudagraphs": True, "fallback_random": True}
"""The compiled step as one CUDA graph; dropout and noise from torch's own generator, as in eager steps."""


def prepare_device(device: torch.device, precision: str) -> None:
    """Kernels measured once for the shapes of this run, TF32 for what is left in float32 (not with fp32); GPUs only."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")


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
    """`wrapped` as a compiled module, or itself where it does not compile; `model` inside is left as it was.

    Args:
        wrapped: the model as the training step calls it.
        options: of `torch.compile`; without any, CUDA graphs.
    """
    shape = (batch_size, model.config.channels, *model.config.image_size)
    images = torch.zeros(shape, dtype=torch.uint8, device=model.device)

    def try_out(forward: nn.Module) -> None:
        for _ in range(TRIED):
            if images.device.type == "cuda":
                torch.compiler.cudagraph_mark_step_begin()
            elbo_loss(forward(images)).backward()
            model.zero_grad()

    before = [buffer.clone() for buffer in model.buffers()]
    wrapped.train()
    with seeded(0):
        try:
            elbo_loss(wrapped(images)).backward()  # fills torch's table of KL divergences, which cannot be traced
            model.zero_grad()
            return compiled_or_eager(wrapped, try_out, **(options or {"fullgraph": True, "options": GRAPHS}))
        finally:
            model.zero_grad()
            for buffer, value in zip(model.buffers(), before, strict=True):
                buffer.copy_(value)
