"""One benchmark: set up what is compared, time it in turn, and say how fast it is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spatialvae.benchmarking import operations
from spatialvae.benchmarking.contenders import (
    RealLoop,
    as_torch_comes,
    autocast,
    bare_loop,
    eager_loop,
    resident_batches,
    sample_eagerly,
)
from spatialvae.benchmarking.machine import describe_machine
from spatialvae.benchmarking.peak import Probe, probes
from spatialvae.benchmarking.result import Measured
from spatialvae.benchmarking.stages import Laps, staged_step
from spatialvae.benchmarking.timing import Work, one_round, seconds
from spatialvae.config import BenchConfig, ModelConfig, TrainConfig
from spatialvae.data import ImageData
from spatialvae.data.training_batches import training_batches
from spatialvae.devices import peak_memory, reset_peak_memory
from spatialvae.errors import UserError
from spatialvae.globals import globals_kept
from spatialvae.model import SpatialVAE
from spatialvae.runtime.allocator import freed_memory_kept
from spatialvae.runtime.precision import resolve_precision
from spatialvae.seeding import seeded
from spatialvae.training.acceleration import compiling_pays, suit_layout
from spatialvae.training.model_stage import check_settings, make_optimizer, with_run_defaults
from spatialvae.training.state import make_accelerator

__all__ = ["bench"]

STEPS = {"cpu": 10}
ACCELERATOR_STEPS = 200


def bench(
    config: TrainConfig,
    data: ImageData,
    options: BenchConfig | None = None,
    *,
    device: torch.device | None = None,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Time training and sampling as they are, against bare loops and the machine's peak; plain values for JSON.

    The real loop is `train` on a temporary folder, with journal, progress bar and checkpoints. The bare loop has the
    same network, optimiser and number format on resident noise and nothing around the step; the eager one is what
    PyTorch gives by itself: fp32, its default Adam, and batches of 100 in sampling. Each round times all in turn.

    Raises:
        UserError: settings that training refuses; several processes.
        Interrupted: Ctrl-C or SIGTERM.
    """
    options = options or BenchConfig()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("bench measures one process: start it without torchrun or accelerate launch.")
    check_settings(config, data)
    accelerator = make_accelerator(config.optimisation, device)
    steps = options.steps or STEPS.get(accelerator.device.type, ACCELERATOR_STEPS)
    scratch = tempfile.TemporaryDirectory(prefix="spatialvae-bench-")
    with globals_kept(), seeded(config.optimisation.seed), scratch as folder:
        real = RealLoop(config, data, Path(folder) / "run", steps=steps, slices=options.rounds + 2, device=device)
        compiled = compiling_pays(real.length // config.optimisation.batch_size, accelerator)
        return _Bench(config, data, options, steps, accelerator.device, compiled).measure(real, say)


@dataclass(frozen=True)
class _Bench:
    """What is measured, and how long."""

    config: TrainConfig
    data: ImageData
    options: BenchConfig
    steps: int
    """Training steps a round."""
    device: torch.device
    compiled: bool
    """Whether a run of this length compiles its step."""

    @property
    def model(self) -> ModelConfig:
        return with_run_defaults(self.config).sized((self.data.height, self.data.width), self.data.channels)

    @property
    def precision(self) -> str:
        return resolve_precision(self.config.optimisation.precision, self.device)

    def measure(self, real: RealLoop, say: Callable[[str], None] | None) -> dict[str, Any]:
        """Everything in turn, round after round: one slice of the real loop, then each of the others."""
        say = say or (lambda _: None)
        say("the real loop starts")
        rounds, others = self.options.rounds, list[_Others]()
        reset_peak_memory(self.device)

        def between(index: int) -> None:
            if index == 0:
                memory = peak_memory(self.device)  # before anything else is built
                others.append(self._others(memory))
                say("warming up")
                return
            others[0].turn(self.device, counted=index > 1)
            if index <= rounds:
                say(f"round {index} of {rounds}")

        loop = real.timed(between)
        other = others[0]
        taken = {**{name: values[-rounds:] for name, values in loop.items()}, **other.taken}
        loops = {name: taken[name] for name in ("real", "checkpointed", "bare", "eager", "sampling", "eager_sampling")}
        measured = Measured(
            batch_size=self.config.optimisation.batch_size,
            steps=self.steps,
            generated=self.options.generated,
            checkpoint_every=real.checkpoint_every,
            **loops,
            stages=other.stages[-rounds:],  # the first was the warm-up
            peaks={name: [probe.flops / value for value in taken[name]] for name, probe in other.probes.items()},
            training=operations.of_training(self.model),
            decoding=operations.of_sampling(self.model),
        )
        return {
            **measured.as_dict(),
            "memory_bytes": other.memory,
            "warm_up_seconds": {"training": loop["real"][0], "sampling": other.first},
            "machine": describe_machine(self.precision, self.device),
            "settings": self._settings(real),
        }

    def _others(self, memory: int) -> _Others:
        """All that is timed beside the real loop."""
        sampled = SpatialVAE.from_config(self.model).to(self.device).eval()
        first = seconds(lambda: sampled.sample(self.options.generated), self.device)
        stages: list[dict[str, float]] = []
        tried = probes(self.precision, self.device)
        works: dict[str, Work] = {
            **self._compared(),
            "sampling": lambda: sampled.sample(self.options.generated),
            "stages": self._staged(stages),
            **{name: probe.work for name, probe in tried.items()},
        }
        return _Others(works, stages, tried, memory, first, {name: [] for name in works})

    def _settings(self, real: RealLoop) -> dict[str, Any]:
        return {
            "data": self.data.name,
            "training_images": real.images,
            "batch_size": self.config.optimisation.batch_size,
            **self.options.model_dump(),
            "steps": self.steps,
            "model": self.model.model_dump(mode="json"),
        }

    def _compared(self) -> dict[str, Work]:
        """The loops that ours is measured by."""
        config, model, steps = self.config.optimisation, self.model, self.steps
        batches = resident_batches(model, config.batch_size, self.device)
        bare = bare_loop(config, model, batches, self.precision, steps, compiled=self.compiled)
        eager = eager_loop(config, model, batches, steps)
        sampled = SpatialVAE.from_config(model).to(self.device).eval()

        def bare_steps() -> None:
            with freed_memory_kept():
                bare.steps()

        def eager_steps() -> None:
            with as_torch_comes():
                eager.steps()

        def eager_sampling() -> None:
            with as_torch_comes():
                sample_eagerly(sampled, self.options.generated)

        return {"bare": bare_steps, "eager": eager_steps, "eager_sampling": eager_sampling}

    def _staged(self, stages: list[dict[str, float]]) -> Work:
        """One step taken apart; each call adds its stages to `stages`."""
        config, device = self.config, self.device
        trained = suit_layout(SpatialVAE.from_config(self.model), device).train()
        optimizer = make_optimizer(trained, config.optimisation, fused=True)
        split, own = self.data.split("train"), config.optimisation
        batches = training_batches(split, own.batch_size, device, seed=own.seed, flip=config.flip)

        def work() -> None:
            number_format = autocast(device, self.precision)
            stages.append(staged_step(trained, optimizer, lambda: batches(len(stages)), number_format, Laps(device)))

        return work


@dataclass(frozen=True)
class _Others:
    """What takes its turn after each slice of the real loop, and how long it took."""

    works: dict[str, Work]
    stages: list[dict[str, float]]
    """Seconds of the stages of one step a round."""
    probes: dict[str, Probe]
    memory: int
    """The real loop's peak, in bytes."""
    first: float
    """Seconds of the first sampling."""
    taken: dict[str, list[float]]

    def turn(self, device: torch.device, *, counted: bool) -> None:
        """One round; the warm-up does not count."""
        for name, value in one_round(self.works, device).items():
            if counted:
                self.taken[name].append(value)
