"""`spatialvae evaluate`: a run, or a set of images made by anything else, measured by the same code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spatialvae.cli.images import images_for, prepare_images
from spatialvae.cli.machine import load_model, use_machine
from spatialvae.cli.options import Device, Json, Threads, given, with_settings
from spatialvae.cli.output import emit, say
from spatialvae.config import DataOptions, EvaluationConfig
from spatialvae.errors import UserError, with_flags
from spatialvae.records import as_json
from spatialvae.settings import divided

if TYPE_CHECKING:
    from spatialvae.metrics import Evaluation
    from spatialvae.model import SpatialVAE

__all__ = ["evaluate"]

Target = Annotated[
    Path, typer.Argument(help="A run folder (config.json, model.safetensors), or images: a folder or an .npz file.")
]
Against = Annotated[
    str | None, typer.Option(help="For images: the data to compare them with, given like --data of other commands.")
]
Paired = Annotated[
    bool,
    typer.Option(
        "--paired",
        help="For images: take each as the reconstruction of the image of the same name in --against; if no "
        "names agree, the next in order.",
    ),
]


@with_settings(EvaluationConfig)
@with_settings(DataOptions, default="the run's")
def evaluate(
    *,
    target: Target,
    against: Against = None,
    paired: Paired = False,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    **settings: Any,
) -> None:
    """Measure a model, or compare images with data: likelihood, reconstructions, samples, the latent's health.

    A metric that fails is listed with its reason beside the others; if --metrics names it, the exit code is 1.
    """
    options, chosen = divided(given(settings), "evaluate", DataOptions, EvaluationConfig)
    config = EvaluationConfig.parse(chosen, "evaluate")
    if (target / "config.json").is_file():
        if against is not None or paired:
            raise UserError(f"{target} is a run: --against and --paired are for images; other data is --data.")
        evaluation = _run(target, load_model(target, device, threads), options, config)
    else:
        evaluation = _images(target, against, paired, options, config, (device, threads))
    from spatialvae.metrics.base import split_key
    from spatialvae.metrics.result import text_table
    from spatialvae.metrics.selection import split_specs

    emit(
        {"target": str(target), **as_json(evaluation)},
        json,
        [with_flags(line) for line in text_table(evaluation, str(target))],
    )
    named = {spec.partition(":")[0] for spec in split_specs(config.metrics)}
    if any(split_key(key)[0].partition(":")[0] in named for key in evaluation.failed):
        raise typer.Exit(1)  # what was asked for by name is not there


def _run(run: Path, model: SpatialVAE, options: dict[str, Any], config: EvaluationConfig) -> Evaluation:
    from spatialvae import metrics
    from spatialvae.metrics.selection import reads_prior
    from spatialvae.store import save_prior, weights_hash
    from spatialvae.training import attach_gaussian

    weights = weights_hash(run)
    images = images_for(run, model, options)
    notes = list(images.notes)
    if "split" not in config.model_fields_set and not images.own and images.data.handed_over != config.split:
        apart, whole = len(images.data.split(config.split)), len(images.data.split("all"))
        notes.append(
            f"{images.data.source} names no test split: measured on the {apart} of {whole} images that are set apart "
            "by their content; --split all takes all of them"
        )
    fitted = None
    asked = (config.prior is None or "gaussian" in config.prior) and reads_prior(config)
    if "gaussian" not in model.priors and images.own and asked:  # never from images that the model was not trained on
        say("fitting a Gaussian to the aggregate posterior")
        fitted = attach_gaussian(model, images.data)
    evaluation = metrics.evaluate(model, images.data, config, progress=True)
    if fitted is not None and weights_hash(run) == weights:  # a command that was refused has stored nothing
        save_prior(run, fitted)
    return evaluation.with_warnings(notes)


def _images(
    target: Path,
    against: str | None,
    paired: bool,
    options: dict[str, Any],
    config: EvaluationConfig,
    machine: tuple[str | None, int | None],
) -> Evaluation:
    if not target.exists():
        raise UserError(f"{target} does not exist: give a run folder, a folder of images or an .npz file.")
    if against is None or "data" in options:
        raise UserError(
            f"{target} holds no model (no config.json); to measure it as images say what against: --against DATA."
        )
    from spatialvae import metrics
    from spatialvae.data.image_set import read_image_set

    device = use_machine(*machine)
    data = prepare_images(DataOptions.parse({**options, "data": against}, "evaluate"))
    named = "split" in config.model_fields_set
    config = config if named else config.model_copy(update={"split": data.handed_over})
    made = read_image_set(str(target), channels=data.channels, layout=options.get("layout", "auto"))
    pairs = {"paired": paired, "names": made.names}
    measured = metrics.evaluate_images(made.images, data, config, **pairs, device=device, progress=True)
    notes = [f"{target}: {note}" for note in made.notes]
    if not named and config.split == "all":
        notes.append(f"{against} names no test split: all of its images are compared with.")
    return measured.with_warnings(notes)
