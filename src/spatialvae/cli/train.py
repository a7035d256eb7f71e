"""`spatialvae train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from spatialvae.cli.images import prepare_images
from spatialvae.cli.machine import use_machine
from spatialvae.cli.options import Device, Json, Out, Threads, given, with_settings
from spatialvae.cli.output import emit, say, say_notes
from spatialvae.cli.plugin_flag import plugin_words
from spatialvae.config import TrainConfig

__all__ = ["train"]

ConfigFile = Annotated[Path | None, typer.Option("--config", help="A YAML file of settings; flags take precedence.")]

Track = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        help="A tracker that also receives the journal's numbers: tensorboard, wandb, mlflow, ... or none; may be "
        "repeated. Default: tensorboard where it is installed.",
    ),
]


@with_settings(TrainConfig)
def train(
    *,
    out: Out,
    config: ConfigFile = None,
    track: Track = None,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    **settings: Any,
) -> None:
    """Train a model and store it in a run folder; the same command resumes an interrupted run."""
    before, flags = _read(config).given() if config else {}, given(settings)
    if {"images", "epochs"} & set(flags):  # one length takes the place of the other
        before = {**before, "images": None, "epochs": None}
    chosen = TrainConfig.parse({**before, **flags}, "train")
    where = use_machine(device, threads)
    data = prepare_images(chosen.data)
    say_notes(data.notes)
    from spatialvae import training
    from spatialvae.data.record import DataRecord
    from spatialvae.latents import LATENTS

    chosen = chosen.replaced(**DataRecord.of(data).settings)  # what a name such as celeba implies included
    try:
        model = training.train(chosen, data, out, track=track or None, device=where).model
    except training.Interrupted as stop:
        say(str(stop))
        sys.exit(128 + stop.signum)
    last = [line for line in training.read_journal(training.Run(out).journal) if "validation_bound" in line][-1]
    payload = {
        "run": str(out),
        "latent": LATENTS.spell(model.latent),
        "encoder_outputs": model.latent.encoder_outputs,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        **last,
    }
    emit(
        payload,
        json,
        [
            f"{payload['latent']} after {last['images']:,} images: "
            f"validation bound {last['validation_bound']:.1f} nats "
            f"(reconstruction {last['validation_reconstruction']:.1f}, KL {last['validation_kl']:.1f})",
            f"run: {out}",
            f"next: spatialvae sample {out}{plugin_words()} --out samples.png",
        ],
    )


def _read(path: Path) -> TrainConfig:
    """The settings of a file; those of a run mean what they meant when it was trained."""
    from spatialvae.training import Run

    run = Run(path.parent)
    own = path.name == run.config.name and (run.journal.is_file() or run.data.is_file())
    return run.settings(TrainConfig) if own else TrainConfig.read(path)
