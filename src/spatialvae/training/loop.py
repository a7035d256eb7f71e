"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import math
import warnings
from collections.abc import Generator
from pathlib import Path

import torch
from torch import Tensor

from spatialvae.config import TrainConfig
from spatialvae.data import ImageData
from spatialvae.globals import globals_kept
from spatialvae.model import SpatialVAE
from spatialvae.progress import Progress
from spatialvae.runtime.allocator import freed_memory_kept
from spatialvae.seeding import seeded, stream_seed
from spatialvae.training.divergence import Watch
from spatialvae.training.interrupt import Interrupted, stop_requests
from spatialvae.training.journal import Journal, read_journal
from spatialvae.training.meter import Meter
from spatialvae.training.model_stage import ModelStage
from spatialvae.training.opening import check_start, write_start
from spatialvae.training.pace import Pace
from spatialvae.training.run import Run
from spatialvae.training.schedule import learning_rate
from spatialvae.training.stage import AbstractStage, Network
from spatialvae.training.state import TrainingState, make_accelerator, set_learning_rate, start

__all__ = ["stage_stepwise", "train", "train_stage", "train_stepwise"]

JOURNAL_STEPS = 50


def train(
    config: TrainConfig, data: ImageData, out: Path, *, progress: bool = True, device: torch.device | None = None
) -> SpatialVAE:
    """Train one model into the run folder `out`, or go on with the run that is there; returns it in eval mode.

    The state after k images is a function of (config, data, k): batches, noise, learning rate and KL weight are all
    functions of the seed and the images seen, and a checkpoint restores weights and moments bit for bit.

    Args:
        device: where to compute; default: the fastest device of this machine, of this process where there are several.

    Raises:
        UserError: settings that do not fit the run in `out`; losses, weights or validation that are not finite, of
            which nothing is stored.
        Interrupted: Ctrl-C or SIGTERM came; the state was saved first.
    """
    return train_stage(ModelStage(config, data), out, progress=progress, device=device)


def train_stepwise(
    config: TrainConfig, data: ImageData, out: Path, *, progress: bool = True, device: torch.device | None = None
) -> Generator[int, None, SpatialVAE]:
    """What `train` does, a step at a time: yields the images seen after each, and returns the model.

    Whoever stops asking, as a benchmark does, closes it; the run folder then holds what was saved so far.
    """
    return stage_stepwise(ModelStage(config, data), out, progress=progress, device=device)


def train_stage(
    stage: AbstractStage[Network], out: Path, *, progress: bool = True, device: torch.device | None = None
) -> Network:
    """Train anything into the folder `out`, or go on with what is there; returns the network in eval mode."""
    steps = stage_stepwise(stage, out, progress=progress, device=device)
    with globals_kept(), seeded(stage.config.seed):  # every step seeds torch's generators anew
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return done.value


def stage_stepwise(
    stage: AbstractStage[Network], out: Path, *, progress: bool = True, device: torch.device | None = None
) -> Generator[int, None, Network]:
    """What `train_stage` does, a step at a time: yields the images seen after each, and returns the network."""
    config, total = stage.config, stage.total
    steps = math.ceil(total / config.batch_size)
    every = max(1, (config.checkpoint_every or max(1, total // 10)) // config.batch_size)
    run = Run(out)
    changed = check_start(stage, run)  # whatever is refused leaves the folder as it was
    accelerator = make_accelerator(config, device)
    state = start(stage, run, accelerator)
    main = accelerator.is_main_process
    write_start(stage, run, accelerator)
    seen = state.step * config.batch_size
    meter, pace = Meter(), Pace(accelerator.device, config.batch_size)
    with (
        freed_memory_kept(),
        stop_requests() as request,
        Journal(run, seen, changed, enabled=main) as journal,
        Progress(out.as_posix(), steps * config.batch_size, seen, shown=progress and main) as bar,
    ):
        watch = Watch(stage, run, journal)
        done = state.step >= steps or converged(stage, run, state)
        if main and not done:
            introduce(stage, state, bar)
        while not done:
            loss, terms = train_step(state, stage, seen)
            state.step += 1
            seen = state.step * config.batch_size
            meter.add(loss, terms, config.batch_size)

            if foretold := pace.step(steps * config.batch_size - seen):
                bar.say(foretold)
            last = state.step == steps
            write, keep = last or state.step % JOURNAL_STEPS == 0, last or state.step % every == 0
            stop = agreed(request.signum, state)
            if write or keep or stop is not None or meter.cheap_to_read:
                values = stage.named(meter.read())
                if write:
                    meter.start()
                watch.loss(values, state.step)
                said = f"{values['images_per_second']:.0f} images/s", *stage.said(values)
                bar.update(seen, *said)
                if write:
                    rates = {"learning_rate": learning_rate(config, seen, total), **stage.rates(seen)}
                    journal.write(seen, {**values, **rates})
                if main and (keep or stop is not None):
                    measured = store(stage, state, watch, keep)
                    bar.update(seen, *said, *stage.said(measured), due=True)
            done = last or (keep and converged(stage, run, state))
            if stop is not None and not done:
                told = f"Stopped after {seen} of {steps * config.batch_size} images, all saved in {out}.\n"
                raise Interrupted(stop, told + "The same command goes on from there.")
            yield seen
        network = state.scored.eval()
        if main:
            stage.finish(network, run, bar.say)
        accelerator.wait_for_everyone()
    return network


def store(stage: AbstractStage[Network], state: TrainingState[Network], watch: Watch, keep: bool) -> dict[str, float]:
    """A checkpoint of numbers that are all finite; returns what was measured of them, and with `keep` records it."""
    measured, seen = watch.state(state), state.step * stage.config.batch_size
    state.save(watch.run, seen, stage)
    if keep:
        watch.journal.write(seen, measured)
        stage.validated(state.scored, watch.run, seen)
    return measured


def introduce(stage: AbstractStage[Network], state: TrainingState[Network], bar: Progress) -> None:
    """Say what is about to be trained, where, and what of its settings cannot come true."""
    device, precision = state.accelerator.device, state.accelerator.mixed_precision
    batch = stage.config.batch_size
    bar.say(stage.described(state.network))
    bar.say(
        f"{math.ceil(stage.total / batch):,} steps of {batch:,}, on {device} in "
        f"{'fp32' if precision == 'no' else precision}"
    )
    for caution in stage.cautions():
        warnings.warn(caution, stacklevel=2)


def train_step(
    state: TrainingState[Network], stage: AbstractStage[Network], seen: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """One update of the weights; the loss and its terms, on the device: nothing here waits for it."""
    accelerator, config = state.accelerator, stage.config
    set_learning_rate(state.optimizer, learning_rate(config, seen + config.batch_size, stage.total))
    torch.manual_seed(stream_seed(config.seed, seen, accelerator.process_index))
    batch = state.batches(state.step)

    if not state.wrapped.training:
        state.wrapped.train()
    loss, terms = stage.loss(state.wrapped, state.network, batch, seen)
    accelerator.backward(loss)
    if config.clip is not None:
        accelerator.clip_grad_norm_(state.wrapped.parameters(), config.clip)
    state.accelerated.step()
    state.accelerated.zero_grad()
    if state.average is not None:
        state.average.update()
    return loss, terms


def agreed(signum: int | None, state: TrainingState) -> int | None:
    """The signal to stop by, in every process at the same step: several processes ask each other now and then."""
    accelerator = state.accelerator
    if accelerator.num_processes == 1:
        return signum
    if state.step % JOURNAL_STEPS:
        return None
    signals = accelerator.gather(torch.tensor([signum or 0], device=accelerator.device))
    return int(torch.as_tensor(signals).max().item()) or None


def converged(stage: AbstractStage, run: Run, state: TrainingState) -> bool:
    """Whether the stage stops here, in every process: the one that writes the journal decides."""
    if not stage.stops_early:
        return False
    accelerator = state.accelerator
    own = accelerator.is_main_process and stage.converged(read_journal(run.journal))
    if accelerator.num_processes == 1:
        return own
    found = accelerator.gather(torch.tensor([int(own)], device=accelerator.device))
    return bool(torch.as_tensor(found).max().item())
