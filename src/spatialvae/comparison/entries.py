"""What comparison.json says of each model: its make, its runs, its results over seeds, its distance to the baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spatialvae.comparison.cached_evaluation import FILE
from spatialvae.comparison.verdict import difference, keys
from spatialvae.config import TrainConfig
from spatialvae.elbo import authors_kl_weight
from spatialvae.latents import LATENTS
from spatialvae.metrics import Estimate, Evaluation
from spatialvae.model import SpatialVAE
from spatialvae.records import as_json
from spatialvae.training import Run, read_journal

__all__ = ["Trained", "differences", "model_entry", "over_seeds", "rate_distortion", "training_seconds"]


@dataclass(frozen=True)
class Trained:
    """One run and its results."""

    seed: int
    folder: Path
    found: Evaluation


def model_entry(
    latent: str, model: SpatialVAE, config: TrainConfig, runs: Sequence[Trained], out: Path
) -> dict[str, Any]:
    """A latent at the table's beta; `model` is its first seed's.

    Args:
        config: with that beta.
        out: the folder that paths are relative to.
    """
    law = model.latent
    pixels = math.prod((model.config.channels, *model.config.image_size))
    encoder = [*model.encoder.parameters(), *model.posterior.parameters()]
    return {
        "latent": latent,
        "spec": LATENTS.spell(law),
        "law": law.description,
        "equation": law.equation,
        "code": list(law.event_shape),
        "encoder_outputs": law.encoder_outputs,
        "parameters": {
            "encoder": sum(parameter.numel() for parameter in encoder),
            "decoder": sum(parameter.numel() for parameter in model.decoder.parameters()),
        },
        "kl_weight": authors_kl_weight(pixels, law.numbers) * config.beta if config.objective == "paper" else None,
        "runs": [_run_entry(run, out) for run in runs],
        "metrics": {key: _mean([run.found.metrics[key] for run in runs]).as_dict() for key in _keys(runs)},
        "health": health_over_seeds(runs),
    }


def differences(runs: Sequence[Trained], baseline: Sequence[Trained]) -> dict[str, Any]:
    """{metric: its difference to the baseline}, those left out of whose spread nothing is known."""
    sides = [run.found for run in runs], [run.found for run in baseline]
    found = {key: difference(*sides, key) for key in _keys(runs)}
    return {key: value.as_dict() for key, value in found.items() if value is not None}


def rate_distortion(latent: str, beta: float, runs: Sequence[Trained]) -> dict[str, Any] | None:
    """One point of a latent's curve, nats an image: rate = KL, distortion = minus the reconstruction's log-density.

    Returns:
        The point; None where the bound was not measured.
    """
    if not {"kl", "reconstruction"} <= set(_keys(runs)):
        return None
    seeds = [
        {
            "seed": run.seed,
            "rate": run.found.metrics["kl"].value,
            "distortion": -run.found.metrics["reconstruction"].value,
        }
        for run in runs
    ]
    means = {name: sum(seed[name] for seed in seeds) / len(seeds) for name in ("rate", "distortion")}
    return {"latent": latent, "beta": beta, **means, "seeds": seeds}


def training_seconds(runs: Iterable[Trained]) -> float:
    """How long the runs took to train, by the images a second that their journals hold."""
    total = 0.0
    for run in runs:
        seen = 0
        for line in read_journal(Run(run.folder).journal):
            if line.get("images_per_second"):
                total += (line["images"] - seen) / line["images_per_second"]
                seen = line["images"]
    return total


def over_seeds(values: list[Any]) -> Any:
    """The mean over seeds of numbers, lists and objects of numbers; estimates become estimates over seeds.

    What is not a number stays where all seeds agree, and is None where they do not.

    >>> over_seeds([{"n": 10, "kl": [1.0, 2.0]}, {"n": 10, "kl": [3.0, None]}])
    {'n': 10, 'kl': [2.0, None]}
    """
    first = values[0]
    if all(isinstance(value, dict) for value in values):
        if {"value", "standard_error", "n"} <= set(first):
            return _mean([Estimate(**value) for value in values]).as_dict()
        return {key: over_seeds([value.get(key) for value in values]) for key in first}
    if all(isinstance(value, list) and len(value) == len(first) for value in values):
        return [over_seeds(list(parts)) for parts in zip(*values, strict=True)]
    if all(value == first for value in values):
        return first
    if all(isinstance(value, int | float) for value in values):
        return sum(values) / len(values)
    return None


def _run_entry(run: Trained, out: Path) -> dict[str, Any]:
    return {
        "seed": run.seed,
        "folder": run.folder.relative_to(out).as_posix(),
        "evaluation": (run.folder / FILE).relative_to(out).as_posix(),
        "command": run.found.command,
        "metrics": {key: estimate.as_dict() for key, estimate in run.found.metrics.items()},
        "health": None if run.found.health is None else as_json(run.found.health),
        "failed": dict(run.found.failed),
        "curve": _curve(run.folder),
    }


def _keys(runs: Sequence[Trained]) -> list[str]:
    return keys([run.found for run in runs])


def _mean(estimates: list[Estimate]) -> Estimate:
    """Mean and standard error over seeds; with one seed its own estimate over images."""
    if len(estimates) == 1:
        return estimates[0]
    return Estimate.of(torch.tensor([estimate.value for estimate in estimates], dtype=torch.float64), over="seeds")


def health_over_seeds(runs: Sequence[Trained]) -> dict[str, Any] | None:
    """The mean over seeds of the latent's health; every alarm once, with the seeds that raised it unless all did."""
    found = [(run.seed, as_json(run.found.health) if run.found.health else None) for run in runs]
    told = [{key: value for key, value in health.items() if key != "alarms"} for _, health in found if health]
    if len(told) < len(runs):
        return None
    raised: dict[str, list[int]] = {}
    for seed, health in found:
        for alarm in (health or {})["alarms"]:
            raised.setdefault(alarm, []).append(seed)
    alarms = [alarm if len(seeds) == len(runs) else f"{_seeds(seeds)}: {alarm}" for alarm, seeds in raised.items()]
    return {**over_seeds(told), "alarms": alarms}


def _seeds(seeds: list[int]) -> str:
    """
    >>> _seeds([0]), _seeds([0, 2])
    ('seed 0', 'seeds 0, 2')
    """
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _curve(folder: Path) -> list[dict[str, float]]:
    """The validation lines of a run's journal."""
    lines = read_journal(Run(folder).journal)
    names = ("images", "validation_bound", "validation_reconstruction", "validation_kl")
    return [{name: line[name] for name in names} for line in lines if "validation_bound" in line]
