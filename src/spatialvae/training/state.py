"""All that changes while a run goes on: weights, moments, the step; how it starts, stops and comes back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

import torch
from torch import nn

from spatialvae.config import AbstractOptimisation
from spatialvae.errors import UserError
from spatialvae.globals import globals_kept
from spatialvae.precision import resolve_precision
from spatialvae.training.acceleration import compiling_pays, prepare_device
from spatialvae.training.average import WeightAverage
from spatialvae.training.checkpoint import latest_checkpoint, restore_checkpoint, save_checkpoint
from spatialvae.training.run import Run
from spatialvae.training.stage import AbstractStage, Network

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["TrainingState", "check_start", "make_accelerator", "set_learning_rate", "start"]


@dataclass
class TrainingState(Generic[Network]):
    """One run in memory. `wrapped` and `accelerated` are what Accelerate made of network and optimizer.

    `batches` gives this process's share of a step, on the device.
    """

    accelerator: Accelerator
    network: Network
    average: WeightAverage | None
    optimizer: torch.optim.Optimizer
    wrapped: nn.Module
    accelerated: Any
    batches: Callable[[int], Any]
    step: int

    @property
    def scored(self) -> Network:
        """The weights that results are made with: the average's, if there is one."""
        return self.network if self.average is None else self.average.module  # pyright: ignore[reportReturnType]

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What a checkpoint holds."""
        return {"model": self.network} if self.average is None else {"model": self.network, "average": self.average}

    def save(self, run: Run, images: int, stage: AbstractStage[Network]) -> None:
        """A checkpoint, and what the stage stores with it."""
        save_checkpoint(run.checkpoints, images, self.modules, self.optimizer, {"fingerprint": stage.fingerprint})
        stage.save(self.scored, run)


def make_accelerator(config: AbstractOptimisation) -> Accelerator:
    """Devices, processes and number format; a UserError if the processes cannot share the batch."""
    with globals_kept():
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


def check_start(stage: AbstractStage, run: Run) -> None:
    """Refuse settings and data that do not fit what is in the run folder, before anything is written there.

    Raises:
        UserError: a name that does not exist; a folder of something else; a run with other settings or other data.
    """
    stage.check()
    run.check(stage.config, stage.total, stage.free)
    found, record = latest_checkpoint(run.checkpoints), run.record()
    before = stage.fingerprint
    if found is not None:
        before = found[1]["fingerprint"]
    elif record is not None and any(run.folder.glob("*.safetensors")):
        before = record.fingerprint
    if before != stage.fingerprint:
        raise UserError(stage.other_data(run.folder))


def start(stage: AbstractStage[Network], run: Run, accelerator: Accelerator) -> TrainingState[Network]:
    """Build network and optimizer from the seed, or bring them back from the run's newest checkpoint.

    Nothing is written.

    Raises:
        UserError: a checkpoint that is damaged.
    """
    device, config = accelerator.device, stage.config
    prepare_device(device, resolve_precision(config.precision))
    torch.manual_seed(config.seed)
    network = stage.build(device)
    average = WeightAverage(network, config.ema) if config.ema else None
    optimizer = stage.optimizer(network, fused=accelerator.mixed_precision != "fp16")
    batches = stage.batches(device, rank=accelerator.process_index, world=accelerator.num_processes)
    state = TrainingState(accelerator, network, average, optimizer, network, optimizer, batches, step=0)
    found = latest_checkpoint(run.checkpoints)
    if found is not None:
        path, before = found
        restore_checkpoint(path, state.modules, optimizer)
        state.step = before["images"] // config.batch_size
    state.wrapped, state.accelerated = accelerator.prepare(network, optimizer)
    left = math.ceil(stage.total / config.batch_size) - state.step
    if compiling_pays(left, accelerator):
        state.wrapped = stage.compiled(state.wrapped, network)
    return state


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The schedule's rate, times each group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
