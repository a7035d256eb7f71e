"""`spatialvae evaluate` and `spatialvae compare`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from spatialvae.cli.images import images_for, prepare_images
from spatialvae.cli.options import Json, Out, given, with_settings
from spatialvae.cli.output import emit, say
from spatialvae.config import AbstractDataOptions, TrainConfig

__all__ = ["compare", "evaluate"]

RunFolder = Annotated[Path, typer.Argument(help="A run folder, or any folder with config.json and model.safetensors.")]
Split = Annotated[str, typer.Option(help="train, validation or test.")]
Samples = Annotated[
    int, typer.Option(min=0, help="Draws an image for the importance-weighted bound; 0 leaves nll out.")
]
NllImages = Annotated[int, typer.Option(min=1, help="Images that nll is measured on.")]


@with_settings(AbstractDataOptions, default="the run's")
def evaluate(
    *,
    run: RunFolder,
    split: Split = "test",
    importance_samples: Samples = 64,
    nll_images: NllImages = 1000,
    limit: Annotated[int | None, typer.Option(min=1, help="Use the first so many images only.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    json: Json = False,
    **settings: Any,
) -> None:
    """Measure a model: bound, KL, bits per dim, likelihood, error, PSNR, SSIM, each with its standard error."""
    from spatialvae import metrics
    from spatialvae.store import load
    from spatialvae.training import Run, fit_run_prior

    model = load(run)
    data = images_for(run, model, given(settings))
    chosen = data.split(split)
    found = metrics.evaluate(
        model,
        chosen,
        importance_samples=importance_samples,
        nll_images=nll_images,
        limit=limit,
        seed=seed,
        progress=True,
    )
    own = "data" not in given(settings) or not Run(run).config.is_file()
    if "gaussian" not in model.priors and own:  # never from images that the model was not trained on
        say("fitting a Gaussian to the aggregate posterior")
        fit_run_prior(model, data, run)
    payload = {
        "run": str(run),
        "data": data.name,
        "fingerprint": data.fingerprint,
        "split": split,
        "importance_samples": importance_samples,
        "seed": seed,
        "metrics": {name: estimate.as_dict() for name, estimate in found.items()},
    }
    lines = [f"{run} on {data.name}, {split}"]
    for name, estimate in found.items():
        error = "" if estimate.standard_error is None else f" ± {estimate.standard_error:.4g}"
        lines.append(f"  {name:<15}{estimate.value:>12.4f}{error}  ({UNITS[name]}, n = {estimate.n})")
    emit(payload, json, lines)


UNITS = {
    "elbo": "nats per image",
    "kl": "nats per image",
    "reconstruction": "nats per image",
    "nll": "nats per image, upper bound",
    "bits_per_dim": "bits, upper bound on the 8-bit code length",
    "mse": "pixels in [0, 1]",
    "psnr": "dB",
    "ssim": "1 is equal",
}


@with_settings(TrainConfig, without=("latent", "seed"))
def compare(
    *,
    out: Out,
    latent: Annotated[list[str] | None, typer.Option(help="A latent; repeat it. Default: the paper's four.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Train each latent with seeds 0 to N-1.")] = 1,
    split: Split = "test",
    importance_samples: Samples = 64,
    nll_images: NllImages = 1000,
    json: Json = False,
    **settings: Any,
) -> None:
    """Train several latents alike, measure them, and write a report."""
    chosen = TrainConfig.parse(given(settings), "compare")
    data = prepare_images(chosen)
    from spatialvae import comparison
    from spatialvae.latents import LATENTS
    from spatialvae.training import Interrupted

    try:
        result = comparison.compare(
            chosen,
            latent or list(LATENTS),
            data,
            out,
            seeds=seeds,
            split=split,
            importance_samples=importance_samples,
            nll_images=nll_images,
            command=shlex.join(["spatialvae", *sys.argv[1:]]),
            say=say,
        )
    except Interrupted as stop:
        say(str(stop))
        sys.exit(128 + stop.signum)
    if json:
        emit(result, True, [])
        return
    from rich.console import Console

    from spatialvae.report import terminal_table

    Console().print(terminal_table(result))
    print(f"report: {out / 'report.html'}")
