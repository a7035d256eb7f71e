"""The results of each latent: its make, its runs, its results over seeds, its distance to the baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch

from spatialvae.comparison.cached_evaluation import FILE
from spatialvae.comparison.verdict import difference, keys
from spatialvae.config import TrainConfig
from spatialvae.elbo import authors_kl_weight
from spatialvae.latents import LATENTS
from spatialvae.metrics import Estimate, Evaluation
from spatialvae.metrics.latent.summary import LatentHealth
from spatialvae.model import SpatialVAE
from spatialvae.networks.shapes import count_flops
from spatialvae.results import CurvePoint, Difference, ModelResult, Parameters, RatePoint, RunResult, SeedPoint
from spatialvae.training import Run, read_journal

__all__ = [
    "Trained",
    "differences",
    "health_over_seeds",
    "model_result",
    "over_seeds",
    "rate_point",
    "training_seconds",
]


@dataclass(frozen=True)
class Trained:
    """One run and its results."""

    seed: int
    folder: Path
    evaluation: Evaluation


def model_result(
    latent: str, model: SpatialVAE, config: TrainConfig, runs: Sequence[Trained], out: Path
) -> ModelResult:
    """A latent at the table's beta, without differences and cost.

    Args:
        latent: as it was asked for.
        model: that of its first seed.
        config: of its training, with that beta.
        runs: of every seed.
        out: the folder that paths are relative to.
    """
    pixels = math.prod((model.config.channels, *model.config.image_size))
    encoder = [*model.encoder.parameters(), *model.posterior.parameters()]
    weight = authors_kl_weight(pixels, model.latent.numbers) * config.beta
    return ModelResult(
        latent=latent,
        spec=LATENTS.spell(model.latent),
        description=model.latent.description,
        equation=model.latent.equation,
        code=tuple(model.latent.event_shape),
        encoder_outputs=model.latent.encoder_outputs,
        parameters=Parameters(
            encoder=sum(parameter.numel() for parameter in encoder),
            decoder=sum(parameter.numel() for parameter in model.decoder.parameters()),
        ),
        decoder_flops=count_flops(model.decoder, model.latent.event_shape),
        kl_weight=weight if config.objective == "paper" else None,
        runs=tuple(_run_result(run, out) for run in runs),
        metrics={key: _mean([run.evaluation.metrics[key] for run in runs]) for key in _keys(runs)},
        health=health_over_seeds(runs),
    )


def differences(runs: Sequence[Trained], baseline: Sequence[Trained]) -> dict[str, Difference]:
    """{metric: its difference to the baseline}, those left out of whose spread nothing is known."""
    sides = [run.evaluation for run in runs], [run.evaluation for run in baseline]
    values = {key: difference(*sides, key) for key in _keys(runs)}
    return {key: value for key, value in values.items() if value is not None}


def rate_point(latent: str, beta: float, runs: Sequence[Trained]) -> RatePoint | None:
    """One point of a latent's curve; None where the bound was not measured."""
    if not {"kl", "reconstruction"} <= set(_keys(runs)):
        return None
    seeds = tuple(
        SeedPoint(run.seed, run.evaluation.metrics["kl"].value, -run.evaluation.metrics["reconstruction"].value)
        for run in runs
    )
    rate, distortion = (
        sum(values) / len(seeds) for values in zip(*((s.rate, s.distortion) for s in seeds), strict=True)
    )
    return RatePoint(latent, beta, rate, distortion, seeds)


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


def health_over_seeds(runs: Sequence[Trained]) -> LatentHealth | None:
    """The mean over seeds of the latent's health; every alarm once, with the seeds that raised it unless all did."""
    measured = [(run.seed, health) for run in runs if (health := run.evaluation.health)]
    if len(measured) < len(runs):
        return None
    raised: dict[str, list[int]] = {}
    for seed, health in measured:
        for alarm in health.alarms:
            raised.setdefault(alarm, []).append(seed)
    alarms = tuple(alarm if len(seeds) == len(runs) else f"{_seeds(seeds)}: {alarm}" for alarm, seeds in raised.items())
    return replace(over_seeds([health for _, health in measured]), alarms=alarms)


def over_seeds(values: Sequence[Any]) -> Any:
    """The mean over seeds of numbers, and of dataclasses and tuples of them; estimates become estimates over seeds.

    What is not a number stays where all seeds agree, and is None where they do not.

    >>> over_seeds([(10, (1.0, 2.0)), (10, (3.0, None))])
    (10, (2.0, None))
    """
    first = values[0]
    if all(isinstance(value, Estimate) for value in values):
        return _mean(values)
    if all(is_dataclass(value) for value in values):
        parts = {field.name: [getattr(value, field.name) for value in values] for field in fields(first)}
        return type(first)(**{name: over_seeds(part) for name, part in parts.items()})
    if all(isinstance(value, tuple) and len(value) == len(first) for value in values):
        return tuple(over_seeds(part) for part in zip(*values, strict=True))
    if all(value == first for value in values):
        return first
    if all(isinstance(value, int | float) for value in values):
        return sum(values) / len(values)
    return None


def _run_result(run: Trained, out: Path) -> RunResult:
    return RunResult(
        seed=run.seed,
        folder=run.folder.relative_to(out).as_posix(),
        evaluation=(run.folder / FILE).relative_to(out).as_posix(),
        command=run.evaluation.command or "",
        metrics={**run.evaluation.metrics},
        health=run.evaluation.health,
        failed={**run.evaluation.failed},
        curve=_curve(run.folder),
    )


def _keys(runs: Sequence[Trained]) -> list[str]:
    return keys([run.evaluation for run in runs])


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    """Mean and standard error over seeds; with one seed its own estimate over images."""
    if len(estimates) == 1:
        return estimates[0]
    return Estimate.of(torch.tensor([estimate.value for estimate in estimates], dtype=torch.float64), over="seeds")


def _seeds(seeds: list[int]) -> str:
    """
    >>> _seeds([0]), _seeds([0, 2])
    ('seed 0', 'seeds 0, 2')
    """
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _curve(folder: Path) -> tuple[CurvePoint, ...]:
    """The validation lines of a run's journal."""
    lines = read_journal(Run(folder).journal)
    names = ("images", "validation_bound", "validation_reconstruction", "validation_kl")
    return tuple(CurvePoint(**{name: line[name] for name in names}) for line in lines if "validation_bound" in line)
