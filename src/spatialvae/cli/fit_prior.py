"""`spatialvae fit-prior`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spatialvae.cli.images import images_for
from spatialvae.cli.machine import load_model
from spatialvae.cli.options import Device, Json, Threads, given, with_settings
from spatialvae.cli.output import emit, say
from spatialvae.cli.plugin_flag import plugin_words
from spatialvae.config import DataOptions, PriorConfig
from spatialvae.errors import UserError
from spatialvae.settings import divided

if TYPE_CHECKING:
    from spatialvae.fitting import Fitted
    from spatialvae.metrics import Estimate

__all__ = ["fit_prior"]

GENERATED = 5000

Run = Annotated[Path, typer.Argument(help="A run folder.")]
Priors = Annotated[
    list[str] | None,
    typer.Option(
        "--prior",
        help="The prior to fit: gaussian, mixture, mixture:components=20, flow or flow-matching; may be repeated. "
        "Default: gaussian.",
    ),
]
Default = Annotated[
    bool,
    typer.Option(
        "--default",
        help="Make this prior the run's default; of several, the one with the lowest Fréchet distance to the "
        "validation images (wants --features).",
    ),
]
Features = Annotated[
    str | None,
    typer.Option(help="Feature network for the Fréchet distance: imagenet, a TorchScript file, or inception."),
]
Generated = Annotated[
    int | None,
    typer.Option(min=2, help="Number of samples of each prior for the Fréchet distance. Default: 5000."),
]
Again = Annotated[bool, typer.Option("--overwrite", help="Fit priors again that are already fitted.")]


@with_settings(PriorConfig)
@with_settings(DataOptions, default="the run's")
def fit_prior(
    *,
    run: Run,
    prior: Priors = None,
    default: Default = False,
    features: Features = None,
    generated: Generated = None,
    device: Device = None,
    threads: Threads = None,
    overwrite: Again = False,
    json: Json = False,
    **settings: Any,
) -> None:
    """Fit priors to the codes of a run, so that samples look like the data."""
    options, values = divided(given(settings), "fit-prior", DataOptions, PriorConfig)
    from spatialvae import fitting
    from spatialvae.metrics import FeatureNetwork
    from spatialvae.metrics.base import RECONSTRUCTIONS
    from spatialvae.priors import parse_family
    from spatialvae.store import save_default_prior
    from spatialvae.training import Interrupted

    spelled = list(dict.fromkeys(parse_family(name).spelled for name in prior or ["gaussian"]))
    training = fitting.training_settings(spelled, values)
    if default and len(spelled) > 1 and features is None:
        raise UserError(
            "--default with several priors wants --features imagenet or FILE.pt to choose by, or name one prior."
        )
    if generated is not None and features is None:
        raise UserError(
            "--generated is for the Fréchet distance: give --features imagenet or FILE.pt too, or leave it out."
        )
    if features is not None:
        FeatureNetwork.open(features)  # what is no network is refused before anything is fitted
    model = load_model(run, device, threads)
    images = images_for(run, model, options)
    data = images.data
    for note in images.notes:
        say(f"note: {note}")
    kept = [name for name in spelled if name in model.priors and not overwrite]
    try:
        fitted = fitting.fit_missing(
            model, data, run, spelled, seed=training.seed, say=say, training=training, again=overwrite, progress=True
        )
    except Interrupted as stop:
        say(str(stop))
        sys.exit(128 + stop.signum)
    frechet = {}
    if features is not None:
        measured = list(dict.fromkeys([model.priors.own, *model.priors]))
        frechet = fitting.held_out_frechet(
            model, data, measured, features, generated=generated or GENERATED, progress=True
        )
    chosen = None
    if default:
        of_priors = {name: value for name, value in frechet.items() if name != RECONSTRUCTIONS}
        chosen = min(of_priors, key=lambda name: of_priors[name].value) if of_priors else spelled[0]
        save_default_prior(run, chosen)
    payload = {
        "run": str(run),
        "fitted": {
            name: {**one.held_out.as_dict(), "seconds": one.seconds, "fitted_to": one.fitted_to}
            for name, one in fitted.items()
        },
        "kept": kept,
        "frechet": {name: value.as_dict() for name, value in frechet.items()},
        "default": chosen or model.priors.default,
    }
    emit(payload, json, _lines(fitted, kept, frechet, payload["default"], spelled, f"{run}{plugin_words()}"))


def _lines(
    fitted: dict[str, Fitted],
    kept: list[str],
    frechet: dict[str, Estimate],
    default: str,
    asked: list[str],
    run: str,
) -> list[str]:
    lines = [line for one in fitted.values() for line in repr(one).splitlines()]
    lines += [f"{name}: fitted before, kept (--overwrite fits it again)" for name in kept]
    if frechet:
        lines.append("Fréchet distance to the validation images:")
        lines += [f"  {name:<28} {value.value:8.2f}" for name, value in frechet.items()]
    if default in asked:
        return [*lines, f"samples come from: {default}", f"next: spatialvae sample {run} --out samples.png"]
    one = asked[-1]
    return [
        *lines,
        f"sample still draws from {default}: say `sample --prior {one}`,",
        f"  or make it the default with `fit-prior --prior {one} --default`",
        f"next: spatialvae sample {run} --prior {one} --out samples.png",
    ]
