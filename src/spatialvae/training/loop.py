"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spatialvae.globals import globals_kept
from spatialvae.progress import Progress
from spatialvae.runtime.allocator import freed_memory_kept
from spatialvae.seeding import seeded, stream_seed
from spatialvae.training.callbacks import Callback, Callbacks, TrainingEvent, check_callbacks
from spatialvae.training.divergence import Watch
from spatialvae.training.interrupt import Interrupted, StopRequest, stop_requests
from spatialvae.training.journal import Journal, numbers_of, read_journal
from spatialvae.training.meter import Meter
from spatialvae.training.opening import check_start, write_start
from spatialvae.training.pace import Pace
from spatialvae.training.run import Run
from spatialvae.training.schedule import learning_rate
from spatialvae.training.stage import AbstractStage, Network
from spatialvae.training.state import TrainingState, cut, make_accelerator, set_learning_rate, start
from spatialvae.training.trackers import Track, check_trackers

__all__ = ["train_stage"]

JOURNAL_STEPS = 50
FINISH = 2**10
"""What processes tell each other, in the place of a signal's number, where a callback ended the run."""


def train_stage(
    stage: AbstractStage[Network],
    out: Path,
    *,
    callbacks: Sequence[Callback] = (),
    track: Track = None,
    progress: bool = True,
    device: torch.device | None = None,
) -> Network:
    """Train anything into the folder `out`, or go on with what is there; returns the network in eval mode."""
    run = Run(out)
    changed = check_start(stage, run)  # whatever is refused leaves the folder as it was
    check_callbacks(callbacks)
    trackers = check_trackers(track)
    with globals_kept(), seeded(stage.optimisation.seed):  # every step seeds torch's generators anew
        accelerator = make_accelerator(stage.optimisation, device)
        state = start(stage, run, accelerator)
        main, seen = accelerator.is_main_process, state.step * stage.optimisation.batch_size
        started = write_start(stage, run, accelerator, trackers, seen)
        total = state.steps * stage.optimisation.batch_size
        with (
            freed_memory_kept(),
            stop_requests() as request,
            Journal(run, seen, changed, trackers=started, enabled=main) as journal,
            Progress(out.as_posix(), total, seen, shown=progress and main) as bar,
        ):
            called = Callbacks(callbacks, enabled=main)
            train_steps(stage, state, Watch(stage, run, journal), called, request, bar)
            network = state.scored.eval()
            if main:
                stage.finish(network, run, bar.say)
                lines = read_journal(run.journal)[-1:] or [{}]
                called.on_finish(event_of(state, run, network, lambda: numbers_of(*lines)))
            accelerator.wait_for_everyone()
    return network


def train_steps(
    stage: AbstractStage[Network],
    state: TrainingState[Network],
    watch: Watch,
    callbacks: Callbacks,
    request: StopRequest,
    bar: Progress,
) -> None:
    """All steps that are left, with what is written, stored and said between them."""
    config, total, main = stage.optimisation, stage.total, state.accelerator.is_main_process
    steps, seen = state.steps, state.seen
    every = max(1, (config.checkpoint_every or max(1, total // 10)) // config.batch_size)
    meter, pace = Meter(), Pace(state.accelerator.device, config.batch_size)
    done = state.step >= steps or ended(stage, watch.run, state, callbacks)
    if main and not done:
        introduce(stage, state, bar)
    while not done:
        loss, terms = train_step(state, stage, seen)
        state.step += 1
        seen = state.seen
        meter.add(loss, terms, config.batch_size)

        if forecast := pace.step(steps * config.batch_size - seen):
            bar.say(forecast)
        tell_step(stage, state, watch, callbacks, meter)
        stop = agreed(FINISH if callbacks.stopped else request.signum, state)
        last = state.step == steps or stop == FINISH
        write, keep = last or state.step % JOURNAL_STEPS == 0, last or state.step % every == 0
        if write or keep or stop is not None or meter.cheap_to_read:
            values = stage.named(meter.read())
            if write:
                meter.start()
            watch.loss(values, state.step)
            words = f"{values['images_per_second']:.0f} images/s", *stage.details(values)
            bar.update(seen, *words)
            if write:
                watch.journal.write(seen, {**values, **rates(stage, seen)})
            if main and (keep or stop is not None):
                measured = store(stage, state, watch, keep)
                bar.update(seen, *words, *stage.details(measured), due=True)
                if keep:
                    callbacks.on_validation(event_of(state, watch.run, state.scored, measured.copy))
        done = last or (keep and ended(stage, watch.run, state, callbacks))
        if stop is not None and not done:
            raise Interrupted(
                stop,
                f"Stopped after {seen} of {steps * config.batch_size} images, all saved in {watch.run.folder}.\n"
                "The same command goes on from there.",
            )


def tell_step(
    stage: AbstractStage[Network], state: TrainingState[Network], watch: Watch, callbacks: Callbacks, meter: Meter
) -> None:
    """Call the callbacks after a step; whatever they raise ends the run once its state is stored."""
    if not callbacks.any:
        return
    try:
        callbacks.on_step(
            event_of(
                state,
                watch.run,
                state.network,
                lambda: {**stage.named(meter.read()), **rates(stage, state.seen)},
            )
        )
    except Exception:
        store(stage, state, watch, keep=False)
        raise


def event_of(
    state: TrainingState[Network], run: Run, network: Network, read: Callable[[], dict[str, float]]
) -> TrainingEvent:
    """What callbacks get."""
    return TrainingEvent(state.seen, state.steps * state.batch_size, network, run.folder, read)


def rates(stage: AbstractStage, seen: int) -> dict[str, float]:
    """The numbers of the journal that are functions of the images seen."""
    return {"learning_rate": learning_rate(stage.optimisation, seen, stage.total), **stage.rates(seen)}


def store(stage: AbstractStage[Network], state: TrainingState[Network], watch: Watch, keep: bool) -> dict[str, float]:
    """A checkpoint of numbers that are all finite; returns what was measured of them, and with `keep` records it."""
    measured, seen = watch.state(state), state.step * stage.optimisation.batch_size
    state.save(watch.run, seen, stage)
    if keep:
        watch.journal.write(seen, measured)
        stage.validated(state.scored, watch.run, seen)
    return measured


def introduce(stage: AbstractStage[Network], state: TrainingState[Network], bar: Progress) -> None:
    """Say what is about to be trained, where, and what of its settings cannot come true."""
    device, precision = state.accelerator.device, state.accelerator.mixed_precision
    batch = stage.optimisation.batch_size
    for line in (stage.described(state.network), *state.began):
        bar.say(line)
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
    accelerator, config = state.accelerator, stage.optimisation
    set_learning_rate(state.optimizer, learning_rate(config, seen + config.batch_size, stage.total))
    torch.manual_seed(stream_seed(config.seed, seen, accelerator.process_index))
    batch = state.batches(state.step)

    if not state.wrapped.training:
        state.wrapped.train()
    pieces = cut(batch, config.accumulate)
    parts = [gradients(state, stage, piece, seen, last=piece is pieces[-1]) for piece in pieces]
    if config.clip is not None:
        accelerator.clip_grad_norm_(state.wrapped.parameters(), config.clip)
    state.accelerated.step()
    state.accelerated.zero_grad()
    if state.adversary is not None and state.adversary.takes_part(seen):
        state.adversary.step(learning_rate(config, seen + config.batch_size, stage.total))
    if state.average is not None:
        state.average.update()
    losses, terms = zip(*parts, strict=True)
    return torch.stack(losses).mean(), {name: torch.cat([one[name] for one in terms]) for name in terms[0]}


def gradients(
    state: TrainingState[Network], stage: AbstractStage[Network], part: Any, seen: int, *, last: bool = True
) -> tuple[Tensor, dict[str, Tensor]]:
    """Add the gradients of a part of a step's batch: the model's, then those of what is trained against it.

    Several processes add up theirs with the last part.
    """
    parts, accelerator = stage.optimisation.accumulate, state.accelerator
    with nullcontext() if last else accelerator.no_sync(state.wrapped):
        loss, terms = stage.loss(state.wrapped, state.network, part, seen)
        accelerator.backward(loss / parts)
    if state.adversary is not None:
        learned = state.adversary.learn(parts)
        terms = {**terms, "discriminator": loss.new_zeros(1) if learned is None else learned[None]}
    return loss.detach(), terms


def agreed(signum: int | None, state: TrainingState) -> int | None:
    """The signal to stop by, in every process at the same step: several processes ask each other now and then."""
    accelerator = state.accelerator
    if accelerator.num_processes == 1:
        return signum
    if state.step % JOURNAL_STEPS:
        return None
    signals = accelerator.gather(torch.tensor([signum or 0], device=accelerator.device))
    return int(torch.as_tensor(signals).max().item()) or None


def ended(stage: AbstractStage, run: Run, state: TrainingState, callbacks: Callbacks) -> bool:
    """Whether the stage or a callback stops here, in every process: the one that writes the journal decides."""
    if not stage.stops_early and not callbacks.any:
        return False
    accelerator = state.accelerator
    own = accelerator.is_main_process and (
        callbacks.stopped or (stage.stops_early and stage.converged(read_journal(run.journal)))
    )
    if accelerator.num_processes == 1:
        return own
    answers = accelerator.gather(torch.tensor([int(own)], device=accelerator.device))
    return bool(torch.as_tensor(answers).max().item())
