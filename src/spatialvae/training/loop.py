"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from spatialvae.config import TrainConfig
from spatialvae.data import ImageData
from spatialvae.data.batches import training_batch
from spatialvae.elbo import ELBO, elbo_loss, paper_loss
from spatialvae.errors import UserError
from spatialvae.model import SpatialVAE
from spatialvae.seeding import stream_seed
from spatialvae.store import save_model
from spatialvae.training.checkpoint import latest_checkpoint, restore_checkpoint, save_checkpoint
from spatialvae.training.interrupt import Interrupted, stop_requests
from spatialvae.training.journal import Journal
from spatialvae.training.meter import Meter
from spatialvae.training.precision import resolve_precision
from spatialvae.training.progress import TrainingProgress
from spatialvae.training.run import Run
from spatialvae.training.schedule import kl_weight, learning_rate, total_images
from spatialvae.training.validation import draw_grids, validate

__all__ = ["train"]

LIKELIHOOD_RATE = 10
"""Adam moves a number by about its learning rate a step; the one log-scale of a likelihood has far to go."""
JOURNAL_STEPS = 50


def train(config: TrainConfig, data: ImageData, out: Path, *, progress: bool = True) -> SpatialVAE:
    """Train one model into the run folder `out`, or go on with the run that is there; returns it in eval mode.

    The state after k images is a function of (config, data, k): batches, noise, learning rate and KL weight are all
    functions of the seed and the images seen, and a checkpoint restores weights and moments bit for bit.

    Raises:
        UserError: settings that do not fit the run in `out`; a loss that is not finite.
        Interrupted: Ctrl-C or SIGTERM came; the state was saved first.
    """
    run = Run(out)
    total = total_images(config, len(data.split("train")))
    steps = math.ceil(total / config.batch_size)
    run.open(config, total)

    precision = resolve_precision(config.precision)
    AcceleratorState._reset_state()  # a process may train several models, each in its own precision
    accelerator = Accelerator(mixed_precision="no" if precision == "fp32" else precision)
    if config.batch_size % accelerator.num_processes:
        raise UserError(
            f"--batch-size {config.batch_size} cannot be shared by {accelerator.num_processes} processes: "
            f"use a multiple of {accelerator.num_processes}."
        )

    torch.manual_seed(config.seed)
    model = SpatialVAE(config.model((data.height, data.width), data.channels)).to(accelerator.device)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.ema)) if config.ema else None
    optimizer = make_optimizer(model, config, fused=precision != "fp16")
    modules: dict[str, nn.Module] = {"model": model, **({"average": average} if average else {})}
    step = resume(run, modules, optimizer, data.fingerprint)
    wrapped, accelerated = accelerator.prepare(model, optimizer)
    scored = average.module if average else model  # the weights that results are made with

    interval = max(1, (config.checkpoint_every or max(1, total // 10)) // config.batch_size)
    pixels, latents = math.prod((data.channels, data.height, data.width)), model.latent.numbers
    meter = Meter()
    with (
        stop_requests() as request,
        Journal(run.journal, step * config.batch_size, run.tensorboard) as journal,
        TrainingProgress(out.name, steps * config.batch_size, step * config.batch_size, shown=progress) as bar,
    ):
        while step < steps:
            seen = step * config.batch_size
            images = training_batch(
                data.split("train"),
                config.batch_size,
                step,
                seed=config.seed,
                flip=config.flip,
                rank=accelerator.process_index,
                world=accelerator.num_processes,
            ).to(accelerator.device, non_blocking=True)
            set_learning_rate(optimizer, learning_rate(config, seen + config.batch_size, total))
            torch.manual_seed(stream_seed(config.seed, seen, accelerator.process_index))

            wrapped.train()
            terms: ELBO = wrapped(images)
            beta = kl_weight(config, seen)
            if config.objective == "elbo":
                loss = elbo_loss(terms, beta)
            else:
                loss = paper_loss(terms, pixels=pixels, latents=latents, beta=beta)
            accelerator.backward(loss)
            if config.clip is not None:
                accelerator.clip_grad_norm_(wrapped.parameters(), config.clip)
            accelerated.step()
            accelerated.zero_grad()
            if average is not None:
                average.update_parameters(model)

            step += 1
            seen = step * config.batch_size
            meter.add(loss, terms, config.batch_size)
            if step % JOURNAL_STEPS == 0 or step == steps or step % interval == 0 or meter.cheap_to_read:
                values = meter.read()
                check_finite(values, step, config)
                bar.update(seen, values)
                if step % JOURNAL_STEPS == 0 or step == steps:
                    rates = {"learning_rate": learning_rate(config, seen, total), "beta": beta}
                    journal.write(seen, {**meter.finish(), **rates})
            if step % interval == 0 or step == steps or request.signum is not None:
                if accelerator.is_main_process:
                    save_checkpoint(run.checkpoints, seen, modules, optimizer, {"fingerprint": data.fingerprint})
                    save_model(out, scored)
                    if request.signum is None:
                        journal.write(seen, validate(scored, data.split("validation"), config))
                        draw_grids(scored, data.split("validation"), run.grids / f"{seen:09d}", config.seed)
                accelerator.wait_for_everyone()
            if request.signum is not None and step < steps:
                raise Interrupted(
                    request.signum,
                    f"Stopped after {seen} of {steps * config.batch_size} images, all saved in {out}.\nThe same command goes on from there.",
                )
    return scored.eval()


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


def resume(run: Run, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer, fingerprint: str) -> int:
    """Restore the newest checkpoint, if there is one; returns how many steps it has behind it."""
    found = latest_checkpoint(run.checkpoints)
    if found is None:
        return 0
    path, state = found
    if state["fingerprint"] != fingerprint:
        raise UserError(
            f"{run.folder} was trained on other images than these: give --out a new folder, or the data of before."
        )
    restore_checkpoint(path, modules, optimizer)
    return state["images"] // TrainConfig.read(run.config).batch_size


def check_finite(values: dict[str, float], step: int, config: TrainConfig) -> None:
    """Stop at a loss that is not a number, before it reaches a checkpoint."""
    if math.isfinite(values["loss"]):
        return
    raise UserError(
        f"The loss is not finite at step {step}: reconstruction {values['reconstruction']:.4g}, KL {values['kl']:.4g} nats.\n"
        f"Try --learning-rate {config.learning_rate / 3:.1g}, --clip 1000 or --precision fp32; the last checkpoint is kept."
    )
