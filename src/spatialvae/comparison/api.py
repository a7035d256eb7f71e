"""A comparison in one call: any images, any latents, one folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from spatialvae.calls import refuse_twice
from spatialvae.comparison.compare import run_comparison
from spatialvae.comparison.comparison import Comparison
from spatialvae.comparison.settings import ComparisonSettings
from spatialvae.data.anything import images_by
from spatialvae.devices import resolve_device
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS, AbstractLatent
from spatialvae.metrics.selection import spelled_metrics
from spatialvae.parts import refuse_objects
from spatialvae.training.unread import refuse_other_images

__all__ = ["compare"]

OURS = {"latent": "latents", "beta": "betas", "prior": "priors"}
"""Settings of the command line that are arguments here, by other names."""


@refuse_twice({"images": "They are the images themselves: give the length of training as `epochs`."})
def compare(
    images: object,
    latents: Sequence[str | AbstractLatent] | str | AbstractLatent | None = None,
    out: str | os.PathLike[str] = "runs/comparison",
    *,
    seeds: int | None = None,
    betas: Sequence[float] | float = (1.0,),
    priors: Sequence[str] | str | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
    **settings: Any,
) -> Comparison:
    """Train every latent with the same betas, seeds, data order and settings, measure, and write a report into `out`.

    Runs in `out` that are complete are used as they are, and interrupted ones go on. Results are measured again only
    where something that they depend on has changed.

        comparison = spatialvae.compare("digits", ["vector", "low-rank"], "runs/digits", seeds=2, epochs=5)
        comparison, comparison.report, comparison.best["elbo"]

    Args:
        images: all that `as_image_data` takes: an array, a tensor, a pair with labels, a torch or `datasets` Dataset,
            a path, a source's name, `ImageData`.
        latents: texts such as ``"low-rank:rank=2"``, or objects of registered classes; default: the paper's four, and
            a vector with as many numbers as their maps.
        out: the folder of runs, results and report.
        seeds: the models are trained with the seeds 0 to seeds - 1; default: 3 with fewer than 10,000 training images,
            else 1. With one seed, intervals are over images, for these trainings only.
        betas: weights of the KL in the objective; every latent is trained with each.
        priors: priors to measure: standard; gaussian, mixture, flow or flow-matching, fitted where they are not yet;
            learned, with its options, which models are then trained with. Default: standard and gaussian.
        device: where to train and measure; default: the fastest device of this machine.
        progress: whether lines and bars on stderr show how far it is.
        settings: fields of `TrainConfig`, of its parts, and of `EvaluationConfig` by name: ``epochs``,
            ``batch_size``, ``metrics``, ``features``, ..., and ``prior_images``.

    Returns:
        The comparison, which shows its table: `.models`, `.best` by metric, `.report`, the page for a browser.

    Raises:
        UserError: an unknown setting, a latent twice or without a name among the latents, a metric, split or network
            that is not there (all before any training), or a run in `out` with other settings.
        Interrupted: Ctrl-C or SIGTERM came; the state was saved first.
    """
    if "data" in settings:
        raise UserError("`data` is given as `images`, the first argument of compare.")
    for name in OURS.keys() & settings.keys():
        raise UserError(f"`{name}` is given as {OURS[name]}, an argument of compare.")
    refuse_objects(settings, "compare")
    named = None if latents is None else [_spelled(latent) for latent in _listed(latents)]
    plan = {
        "latent": named,
        "beta": _listed(betas),
        "seeds": seeds,
        "prior": None if priors is None else _listed(priors),
    }
    if "metrics" in settings:
        settings["metrics"] = spelled_metrics(settings["metrics"])
    asked = ComparisonSettings.of({**settings, **plan}, "compare")
    refuse_other_images(images, asked.training.data)
    folder = Path(out).expanduser()
    given = {"latents": named, "out": str(folder), "seeds": seeds, "betas": betas, "priors": priors}
    return run_comparison(
        asked,
        images_by(asked.training.data, images, progress=progress),
        folder,
        command=_call(images, {**given, **settings}),
        device=resolve_device(device) if isinstance(device, str) else device,
        progress=progress,
        say=_say if progress else lambda _: None,
    )


def _listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, list | tuple) else [values]


def _spelled(latent: str | AbstractLatent) -> str:
    """A latent as the text that every run is trained with.

    Raises:
        UserError: a latent that no text names, which could not be built again for the next seed.
    """
    return latent if isinstance(latent, str) else LATENTS.spell(latent)


def _call(images: object, arguments: dict[str, object]) -> str:
    """The call that made a comparison, as its report shows it.

    >>> _call("digits", {"seeds": 2, "betas": (1.0,), "latents": None})
    "spatialvae.compare('digits', seeds=2)"
    """
    words = [f"{name}={value!r}" for name, value in arguments.items() if value is not None and value != (1.0,)]
    first = repr(os.fspath(images)) if isinstance(images, str | os.PathLike) else "images"
    return f"spatialvae.compare({', '.join([first, *words])})"


def _say(line: str) -> None:
    print(line, file=sys.stderr)
