"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Generator
from pathlib import Path

import torch
from torch import Tensor

from spatialvae.config import TrainConfig
from spatialvae.data import ImageData
from spatialvae.elbo import ELBO, elbo_loss, paper_loss
from spatialvae.errors import UserError
from spatialvae.heap import freed_memory_kept
from spatialvae.likelihoods import parse_likelihood
from spatialvae.model import SpatialVAE, resolve_latent
from spatialvae.precision import resolve_precision
from spatialvae.priors import parse_prior
from spatialvae.seeding import stream_seed
from spatialvae.store import load_priors
from spatialvae.training.finish import fit_run_prior
from spatialvae.training.interrupt import Interrupted, stop_requests
from spatialvae.training.journal import Journal
from spatialvae.training.meter import Meter
from spatialvae.training.progress import TrainingProgress
from spatialvae.training.run import Run
from spatialvae.training.schedule import kl_weight, learning_rate, total_images
from spatialvae.training.state import TrainingState, make_accelerator, set_learning_rate, start
from spatialvae.training.validation import draw_grids, validate

__all__ = ["train", "train_stepwise"]

JOURNAL_STEPS = 50


def train(config: TrainConfig, data: ImageData, out: Path, *, progress: bool = True) -> SpatialVAE:
    """Train one model into the run folder `out`, or go on with the run that is there; returns it in eval mode.

    The state after k images is a function of (config, data, k): batches, noise, learning rate and KL weight are all
    functions of the seed and the images seen, and a checkpoint restores weights and moments bit for bit.

    Raises:
        UserError: settings that do not fit the run in `out`; a loss that is not finite.
        Interrupted: Ctrl-C or SIGTERM came; the state was saved first.
    """
    steps = train_stepwise(config, data, out, progress=progress)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def train_stepwise(
    config: TrainConfig, data: ImageData, out: Path, *, progress: bool = True
) -> Generator[int, None, SpatialVAE]:
    """What `train` does, a step at a time: yields the images seen after each, and returns the model.

    Whoever stops asking, as a benchmark does, closes it; the run folder then holds what was saved so far.
    """
    total = total_images(config, len(data.split("train")))
    steps = math.ceil(total / config.batch_size)
    every = max(1, (config.checkpoint_every or max(1, total // 10)) // config.batch_size)
    check_settings(config, data)  # a typo leaves no folder behind
    run = Run(out)
    accelerator = make_accelerator(config)
    with accelerator.main_process_first():
        run.open(config, total)
    state = start(config, data, run, accelerator)
    main = accelerator.is_main_process
    seen = state.step * config.batch_size
    meter = Meter()
    with (
        freed_memory_kept(),
        stop_requests() as request,
        Journal(run, seen, enabled=main) as journal,
        TrainingProgress(out.as_posix(), steps * config.batch_size, seen, shown=progress and main) as bar,
    ):
        while state.step < steps:
            loss, terms = train_step(state, config, seen, total)
            state.step += 1
            seen = state.step * config.batch_size
            meter.add(loss, terms, config.batch_size)

            last = state.step == steps
            write, keep = last or state.step % JOURNAL_STEPS == 0, last or state.step % every == 0
            if write or keep or meter.cheap_to_read:
                values = meter.finish() if write else meter.read()
                check_finite(values, state.step, config)
                bar.update(seen, values)
                if write:
                    rates = {"learning_rate": learning_rate(config, seen, total), "beta": kl_weight(config, seen)}
                    journal.write(seen, {**values, **rates})
            stop = agreed(request.signum, state)
            if main and (keep or stop is not None):
                state.save(run, seen, data.fingerprint)
            if main and keep:
                journal.write(seen, validate(state.scored, data.split("validation"), config))
                draw_grids(state.scored, data.split("validation"), run.grids / f"{seen:09d}", config.seed)
            if stop is not None and not last:
                done = f"Stopped after {seen} of {steps * config.batch_size} images, all saved in {out}."
                raise Interrupted(stop, f"{done}\nThe same command goes on from there.")
            yield seen
        model = state.scored.eval()
        if main:
            load_priors(out, model)
        if main and "gaussian" not in model.priors:
            bar.say("fitting a Gaussian to the aggregate posterior")
            fit_run_prior(model, data, out, seed=config.seed)
        accelerator.wait_for_everyone()
    return model


def check_settings(config: TrainConfig, data: ImageData) -> None:
    """Refuse names and number formats that would only fail once the run has begun."""
    model = config.model((data.height, data.width), data.channels)
    latent, _ = resolve_latent(model)
    parse_prior(model.prior, latent)
    parse_likelihood(model.likelihood)
    resolve_precision(config.precision)


def train_step(state: TrainingState, config: TrainConfig, seen: int, total: int) -> tuple[Tensor, ELBO]:
    """One update of the weights; the loss and the terms of the bound, on the device: nothing here waits for it."""
    accelerator, model = state.accelerator, state.model
    images = state.batches(state.step)
    set_learning_rate(state.optimizer, learning_rate(config, seen + config.batch_size, total))
    torch.manual_seed(stream_seed(config.seed, seen, accelerator.process_index))

    if not state.wrapped.training:
        state.wrapped.train()
    terms: ELBO = state.wrapped(images)
    beta = kl_weight(config, seen)
    if config.objective == "elbo":
        loss = elbo_loss(terms, beta)
    else:
        loss = paper_loss(terms, pixels=images[0].numel(), latents=model.latent.numbers, beta=beta)
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


def check_finite(values: dict[str, float], step: int, config: TrainConfig) -> None:
    """Stop at a loss that is not a number, before it reaches a checkpoint."""
    if math.isfinite(values["loss"]):
        return
    raise UserError(
        f"The loss is not finite at step {step}: reconstruction {values['reconstruction']:.4g}, "
        f"KL {values['kl']:.4g} nats.\n"
        f"Try --learning-rate {config.learning_rate / 3:.1g}, --clip 1000 or --precision fp32; "
        "the last checkpoint is kept."
    )
