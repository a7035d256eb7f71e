"""All that changes while a run goes on: weights, moments, the step; how it starts, stops and comes back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from spatialvae.config import TrainConfig
from spatialvae.data import ImageData
from spatialvae.data.resident import training_batches
from spatialvae.errors import UserError
from spatialvae.model import SpatialVAE
from spatialvae.precision import resolve_precision
from spatialvae.store import save_model
from spatialvae.training.acceleration import compiled_training, compiling_pays, prepare_device, suit_layout
from spatialvae.training.average import WeightAverage
from spatialvae.training.checkpoint import latest_checkpoint, restore_checkpoint, save_checkpoint
from spatialvae.training.run import Run
from spatialvae.training.schedule import total_images

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["TrainingState", "make_accelerator", "make_optimizer", "set_learning_rate", "start"]

LIKELIHOOD_RATE = 10
"""Adam moves a number by about its learning rate a step; the one log-scale of a likelihood has far to go."""


@dataclass
class TrainingState:
    """One run in memory. `wrapped` and `accelerated` are what Accelerate made of model and optimizer.

    `batches` gives this process's images of a step, on the device.
    """

    accelerator: Accelerator
    model: SpatialVAE
    average: WeightAverage | None
    optimizer: torch.optim.Optimizer
    wrapped: nn.Module
    accelerated: Any
    batches: Callable[[int], Tensor]
    step: int

    @property
    def scored(self) -> SpatialVAE:
        """The weights that results are made with: the average's, if there is one."""
        return self.model if self.average is None else self.average.module  # pyright: ignore[reportReturnType]

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What a checkpoint holds."""
        return {"model": self.model} if self.average is None else {"model": self.model, "average": self.average}

    def save(self, run: Run, images: int, fingerprint: str) -> None:
        """A checkpoint, and the model for `spatialvae.load`."""
        save_checkpoint(run.checkpoints, images, self.modules, self.optimizer, {"fingerprint": fingerprint})
        save_model(run.folder, self.scored)


def make_accelerator(config: TrainConfig) -> Accelerator:
    """Devices, processes and number format; a UserError if the processes cannot share the batch."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    precision = resolve_precision(config.precision)
    AcceleratorState._reset_state()  # a process may train several models, each in its own precision
    cpu = not (torch.cuda.is_available() or torch.backends.mps.is_available())
    # Accelerate joins the processes of a CPU launch (gloo) only when it is told that the CPU is meant.
    accelerator = Accelerator(mixed_precision="no" if precision == "fp32" else precision, cpu=cpu)
    processes = accelerator.num_processes
    if config.batch_size % processes:
        raise UserError(
            f"--batch-size {config.batch_size} cannot be shared by {processes} processes: "
            f"use a multiple of {processes}."
        )
    return accelerator


def start(config: TrainConfig, data: ImageData, run: Run, accelerator: Accelerator) -> TrainingState:
    """Build model and optimizer from the seed, or bring them back from the run's newest checkpoint.

    Raises:
        UserError: the run was trained on other images.
    """
    device, training = accelerator.device, data.split("train")
    prepare_device(device, resolve_precision(config.precision))
    torch.manual_seed(config.seed)
    model = suit_layout(SpatialVAE(config.model((data.height, data.width), data.channels)), device)
    average = WeightAverage(model, config.ema) if config.ema else None
    optimizer = make_optimizer(model, config, fused=accelerator.mixed_precision != "fp16")
    rank, world = accelerator.process_index, accelerator.num_processes
    batches = training_batches(
        training, config.batch_size, device, seed=config.seed, flip=config.flip, rank=rank, world=world
    )
    state = TrainingState(accelerator, model, average, optimizer, model, optimizer, batches, step=0)
    found = latest_checkpoint(run.checkpoints)
    if found is not None:
        path, before = found
        if before["fingerprint"] != data.fingerprint:
            raise UserError(
                f"{run.folder} was trained on other images than these: give --out a new folder, or the data of before."
            )
        restore_checkpoint(path, state.modules, optimizer)
        state.step = before["images"] // config.batch_size
    state.wrapped, state.accelerated = accelerator.prepare(model, optimizer)
    left = math.ceil(total_images(config, len(training)) / config.batch_size) - state.step
    if compiling_pays(left, accelerator):
        state.wrapped = compiled_training(state.wrapped, model, config.batch_size)
    return state


def make_optimizer(model: SpatialVAE, config: TrainConfig, fused: bool) -> torch.optim.Optimizer:
    """Adam over every parameter; the likelihood's own scale moves ten times as fast."""
    own = list(model.likelihood.parameters())
    shared = [parameter for name, parameter in model.named_parameters() if not name.startswith("likelihood.")]
    groups: list[dict[str, Any]] = [{"params": shared, "factor": 1.0}]
    if own:
        groups.append({"params": own, "factor": float(LIKELIHOOD_RATE)})
    return torch.optim.Adam(groups, lr=config.learning_rate, fused=fused)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The schedule's rate, times each group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
