"""All that changes while a run goes on: weights, moments, the step; how it starts, stops and comes back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import torch
from torch import Tensor, nn

from spatialvae.config import AbstractOptimisation
from spatialvae.devices import fastest_device
from spatialvae.errors import UserError
from spatialvae.globals import globals_kept
from spatialvae.runtime.precision import resolve_precision
from spatialvae.tensors import not_finite
from spatialvae.training.acceleration import compiling_pays, prepare_device
from spatialvae.training.adversary import Adversary
from spatialvae.training.average import WeightAverage
from spatialvae.training.checkpoint import latest_checkpoint, restore_checkpoint, save_checkpoint
from spatialvae.training.run import Run
from spatialvae.training.stage import AbstractStage, Network

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["TrainingState", "cut", "make_accelerator", "set_learning_rate", "start"]


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
    adversary: Adversary | None
    batches: Callable[[int], Any]
    batch_size: int
    """Images of a step, over all processes."""
    steps: int
    """Of the whole run."""
    step: int
    began: list[str]
    """What to say of how the network began."""

    @property
    def seen(self) -> int:
        """How many images the network has seen."""
        return self.step * self.batch_size

    @property
    def scored(self) -> Network:
        """The weights that results are made with: the average's, if there is one."""
        return self.network if self.average is None else self.average.module  # pyright: ignore[reportReturnType]

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What a checkpoint holds."""
        others: dict[str, nn.Module] = {} if self.average is None else {"average": self.average}
        if self.adversary is not None:
            others["discriminator"] = self.adversary.network
        return {"model": self.network, **others}

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Whose moments a checkpoint holds."""
        others = {} if self.adversary is None else {"discriminator-optimizer": self.adversary.optimizer}
        return {"optimizer": self.optimizer, **others}

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All of them by name: weights, buffers, averages and the optimiser's moments."""
        values = {name: value for module in self.modules.values() for name, value in module.state_dict().items()}
        for of, optimizer in self.optimizers.items():
            whose = "" if optimizer is self.optimizer else f" of the {of}"
            for i, slot in optimizer.state_dict()["state"].items():
                values |= {f"moment {key} of weight {i}{whose}": value for key, value in slot.items()}
        return values

    def save(self, run: Run, images: int, stage: AbstractStage[Network]) -> None:
        """A checkpoint, and what the stage stores with it."""
        save_checkpoint(run.checkpoints, images, self.modules, self.optimizers, {"fingerprint": stage.fingerprint})
        stage.save(self.scored, run)


def make_accelerator(config: AbstractOptimisation, device: torch.device | None = None) -> Accelerator:
    """Devices, processes and number format; a UserError if the processes cannot share the batch.

    Args:
        device: where to compute; default: the fastest. Of several processes each gets its own of this kind.
    """
    with globals_kept():
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState

    device = fastest_device() if device is None else device
    precision = resolve_precision(config.precision, device)
    # A process may train several models, each in its own precision, and where it is alone, on its own device.
    AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())
    # Accelerate joins the processes of a CPU launch (gloo) only when it is told that the CPU is meant.
    accelerator = Accelerator(mixed_precision="no" if precision == "fp32" else precision, cpu=device.type == "cpu")
    processes = accelerator.num_processes
    if processes == 1:
        accelerator.state.device = device  # pyright: ignore[reportAttributeAccessIssue]
    if config.batch_size % processes:
        raise UserError(
            f"`batch_size` {config.batch_size} cannot be shared by {processes} processes: "
            f"use a multiple of {processes}."
        )
    if config.batch_size // processes % config.accumulate:
        share = config.batch_size // processes
        raise UserError(
            f"`accumulate` {config.accumulate} does not divide the {share} images of a process's step: use "
            f"{nearest_divisor(share, config.accumulate)}."
        )
    return accelerator


def nearest_divisor(number: int, wanted: int) -> int:
    """The divisor of a number that lies nearest to the one that is wanted.

    >>> nearest_divisor(100, 7), nearest_divisor(7, 100)
    (5, 7)
    """
    return min((k for k in range(1, number + 1) if number % k == 0), key=lambda k: abs(k - wanted))


def start(stage: AbstractStage[Network], run: Run, accelerator: Accelerator) -> TrainingState[Network]:
    """Build network and optimizer from the seed, or bring them back from the run's newest checkpoint.

    Nothing is written.

    Raises:
        UserError: a checkpoint that is damaged.
    """
    device, config = accelerator.device, stage.optimisation
    prepare_device(device, "fp32" if accelerator.mixed_precision == "no" else accelerator.mixed_precision)
    torch.manual_seed(config.seed)
    network = stage.build(device)
    checkpoint = latest_checkpoint(run.checkpoints)
    began = stage.begin(network) if checkpoint is None else []
    average = WeightAverage(network, config.ema) if config.ema else None
    optimizer = stage.optimizer(network, fused=accelerator.mixed_precision != "fp16")
    batches = stage.batches(device, rank=accelerator.process_index, world=accelerator.num_processes)
    size, steps = config.batch_size, math.ceil(stage.total / config.batch_size)
    adversary = stage.make_adversary(network)
    state = TrainingState(
        accelerator, network, average, optimizer, network, optimizer, adversary, batches, size, steps, 0, began
    )
    if checkpoint is not None:
        path, before = checkpoint
        restore_checkpoint(path, state.modules, state.optimizers)
        refuse_diverged(path, state)
        state.step = before["images"] // config.batch_size
    state.wrapped, state.accelerated = accelerator.prepare(stage.stepped(network), optimizer)
    if adversary is not None:
        adversary.prepare(accelerator)
    if compiling_pays(state.steps - state.step, accelerator):
        state.wrapped = stage.compiled(state.wrapped, network)
    return state


def cut(batch: Any, parts: int) -> list[Any]:
    """A batch, a tensor or a tuple of tensors and Nones, in parts of equal length."""
    if parts == 1:
        return [batch]
    if isinstance(batch, Tensor):
        return list(batch.chunk(parts))
    columns = [[None] * parts if column is None else column.chunk(parts) for column in batch]
    return list(zip(*columns, strict=True))


def refuse_diverged(path: Path, state: TrainingState) -> None:
    """Refuse to go on from a checkpoint of weights that diverged, as earlier versions stored them."""
    if broken := not_finite(state.tensors):
        raise UserError(
            f"The checkpoint {path} holds numbers that are not finite ({broken[0]}).\nDelete that folder: the same "
            "command then goes on from the checkpoint before it."
        )


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The schedule's rate, times each group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
