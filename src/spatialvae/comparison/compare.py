"""The paper's experiment: the same data, order, objective and length for every latent; one report."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from spatialvae._version import __version__
from spatialvae.comparison.cost import Cost, measure_costs
from spatialvae.comparison.evaluated import evaluated
from spatialvae.comparison.machine import describe_machine
from spatialvae.config import TrainConfig
from spatialvae.data import ImageData
from spatialvae.data.batches import in_order, training_batch
from spatialvae.elbo import authors_kl_weight
from spatialvae.errors import UserError
from spatialvae.latents import spell_latent
from spatialvae.model import SpatialVAE
from spatialvae.report import Pictures, draw_figures, write_report
from spatialvae.store import write_json
from spatialvae.training import Run, read_journal, train
from spatialvae.training.precision import resolve_precision

__all__ = ["compare"]

SHOWN = 10
GENERATED = 10_000


def compare(
    config: TrainConfig,
    latents: Sequence[str],
    data: ImageData,
    out: Path,
    *,
    seeds: int = 1,
    split: str = "test",
    importance_samples: int = 64,
    nll_images: int = 1000,
    command: str = "",
    progress: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train every latent with the same seeds, data order and settings, evaluate, and write the report into `out`.

    Runs that are complete are used as they are, interrupted ones go on. Returns the content of comparison.json.

    Raises:
        UserError: fewer than one latent, one named twice, or a run in `out` with other settings.
    """
    if not latents or len(set(latents)) < len(latents):
        raise UserError("Name each latent to compare once: --latent vector --latent low-rank.")
    if seeds < 1:
        raise UserError(f"--seeds {seeds} is not possible: at least 1 is wanted.")
    data.split(split)  # a typo here or in the last latent should not show up after hours of training
    for latent in latents:
        SpatialVAE(config.model_copy(update={"latent": latent}).model((data.height, data.width), data.channels))
    settings = {"importance_samples": importance_samples, "nll_images": nll_images, "seed": 0}
    entries, first_models = [], {}
    for latent in latents:
        runs = []
        for seed in range(seeds):
            folder = out / _folder_name(latent) / f"seed-{seed}"
            say(f"{latent}, seed {seed}")
            model = train(config.model_copy(update={"latent": latent, "seed": seed}), data, folder, progress=progress)
            metrics = evaluated(folder, model, data, split, settings, progress)
            where = folder.relative_to(out).as_posix()
            runs.append({"seed": seed, "folder": where, "metrics": metrics, "curve": _curve(folder)})
            first_models.setdefault(latent, model)
        entries.append(_entry(latent, first_models[latent], config, runs))

    baseline = "vector" if "vector" in latents else latents[0]
    say("timing, in turn")
    batch = training_batch(data.split("train"), config.batch_size, 0, seed=0, flip=False)
    costs = measure_costs(first_models, batch, baseline)
    for entry in entries:
        entry["cost"] = _cost(costs[entry["latent"]], len(data.split("train")) / config.batch_size)
    comparison: dict[str, Any] = {
        "format": 1,
        "version": __version__,
        "command": command,
        "machine": describe_machine(resolve_precision(config.precision)),
        "data": _describe_data(data),
        "settings": config.model_dump(mode="json", exclude={"latent", "seed", "data"}),
        "evaluation": {"split": split, **settings},
        "seeds": list(range(seeds)),
        "baseline": baseline,
        "models": entries,
    }
    comparison["figures"] = draw_figures(_pictures(first_models, data, split), comparison, out)
    write_json(out / "comparison.json", comparison)
    write_report(out, comparison)
    return comparison


def _folder_name(latent: str) -> str:
    """A latent's spelling as a folder: low-rank:rank=2 -> low-rank-rank2."""
    return re.sub(r"[:,]", "-", latent).replace("=", "")


def _entry(latent: str, model: SpatialVAE, config: TrainConfig, runs: list[dict[str, Any]]) -> dict[str, Any]:
    law = model.latent
    pixels = math.prod((model.config.channels, *model.config.image_size))
    encoder = [*model.encoder.parameters(), *model.posterior.parameters()]
    return {
        "latent": latent,
        "spec": spell_latent(law),
        "law": law.law,
        "equation": law.equation,
        "code": list(law.event_shape),
        "encoder_outputs": law.encoder_outputs,
        "parameters": {
            "encoder": sum(parameter.numel() for parameter in encoder),
            "decoder": sum(parameter.numel() for parameter in model.decoder.parameters()),
        },
        "kl_weight": authors_kl_weight(pixels, law.numbers) * config.beta if config.objective == "paper" else None,
        "runs": runs,
        "metrics": _over_seeds([run["metrics"] for run in runs]),
    }


def _over_seeds(metrics: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard error over seeds; with one seed its own estimate over images."""
    if len(metrics) == 1:
        return metrics[0]
    result = {}
    for name in metrics[0]:
        values = torch.tensor([seed[name]["value"] for seed in metrics], dtype=torch.float64)
        error = (values.std() / math.sqrt(len(values))).item()
        result[name] = {"value": values.mean().item(), "standard_error": error, "n": len(values)}
    return result


def _curve(folder: Path) -> list[dict[str, float]]:
    """The validation lines of a run's journal."""
    lines = read_journal(Run(folder).journal)
    names = ("images", "validation_bound", "validation_reconstruction", "validation_kl")
    return [{name: line[name] for name in names} for line in lines if "validation_bound" in line]


def _cost(cost: Cost, steps: float) -> dict[str, float]:
    return {
        **asdict(cost),
        "epoch_seconds": cost.step_seconds * steps,
        "epoch_ratio": cost.step_ratio,
        "generation_seconds": cost.picture_seconds * GENERATED,
        "generation_ratio": cost.picture_ratio,
    }


def _describe_data(data: ImageData) -> dict[str, Any]:
    names = ("source", "name", "fingerprint", "height", "width", "channels", "channel_means")
    splits = {name: len(split) for name, split in data.splits.items()}
    return {**{name: getattr(data, name) for name in names}, "splits": splits}


def _pictures(models: dict[str, SpatialVAE], data: ImageData, split: str) -> Pictures:
    held_out = next(in_order(data.split(split), SHOWN))
    return Pictures(
        training=next(in_order(data.split("train"), SHOWN)),
        samples={
            name: {prior: model.sample(SHOWN, seed=0, prior=prior) for prior in ("standard", *model.priors)}
            for name, model in models.items()
        },
        originals=held_out,
        reconstructions={name: model.reconstruct(held_out) for name, model in models.items()},
    )
