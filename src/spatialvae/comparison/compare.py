"""The paper's experiment: the same data, order, objective, KL weight and length for every latent; one report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from spatialvae._version import __version__
from spatialvae.benchmarking import describe_machine
from spatialvae.comparison.cached_evaluation import evaluated, network_hashes
from spatialvae.comparison.cost import Cost, measure_costs
from spatialvae.comparison.entries import Trained, differences, model_entry, rate_distortion, training_seconds
from spatialvae.comparison.pictures import pictures
from spatialvae.comparison.plan import Plan, make_plan, run_folder
from spatialvae.comparison.verdict import best
from spatialvae.config import CompareConfig, EvaluationConfig, PriorConfig, TrainConfig
from spatialvae.data import ImageData
from spatialvae.data.batches import training_batch
from spatialvae.data.record import DataRecord
from spatialvae.files import write_json
from spatialvae.fitting import check_priors, fit_missing, present
from spatialvae.metrics.latent.probe import no_probe
from spatialvae.metrics.provenance import NetworkDescription
from spatialvae.metrics.selection import select
from spatialvae.model import SpatialVAE
from spatialvae.records import as_json
from spatialvae.report import draw_figures, intervals, write_report
from spatialvae.runtime.precision import resolve_precision
from spatialvae.training import train

__all__ = ["compare"]

GENERATED = 10_000
RATE_ONLY = {"metrics": "bound", "prior": None}

Runs = dict[tuple[str, float], list[Trained]]
"""(latent, beta) -> its seeds in order."""


def compare(
    wanted: CompareConfig,
    config: TrainConfig,
    evaluation: EvaluationConfig,
    data: ImageData,
    out: Path,
    *,
    command: str = "",
    device: torch.device | None = None,
    progress: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train every latent with the same betas, seeds, data order and settings, measure, and write the report into `out`.

    Runs that are complete are used as they are, interrupted ones go on; results are measured again only where something
    that they depend on has changed. Returns the content of comparison.json.

    Args:
        wanted: latents, betas and seeds; its `out` is not read.
        config: of every run; its latent, beta and seed take the plan's values.
        evaluation: of every run.
        command: the line that did all this, for the report.
        device: where to train and measure; default: the fastest.

    Raises:
        UserError: a latent named twice, a metric, split or network that is not there (all before any training), or a
            run in `out` with other settings.
        Interrupted: Ctrl-C or SIGTERM came; the state was saved first.
    """
    config = config.model_copy(update=DataRecord.of(data).settings)
    plan = make_plan(wanted, config, data)
    networks = _check(evaluation, data)
    runs: Runs = {}
    models: dict[str, SpatialVAE] = {}
    unfitted: list[str] = []
    for latent in plan.latents:
        for beta in plan.betas:
            own = config.model_copy(update={"latent": latent, "beta": beta})
            # The other betas are points of the rate-distortion curve: its two terms are all it takes.
            rate_only = evaluation.model_copy(update=RATE_ONLY)
            for seed in plan.seeds:
                say(f"{latent}, beta {beta:g}, seed {seed}")
                folder = run_folder(out, latent, beta, seed)
                own_seed = own.model_copy(update={"seed": seed})
                model = train(own_seed, data, folder, progress=progress, device=device).model
                asked = rate_only
                if beta == plan.beta:
                    failed: dict[str, str] = {}
                    fit_missing(
                        model,
                        data,
                        folder,
                        evaluation.prior or [],
                        seed=seed,
                        say=say,
                        training=PriorConfig(images=wanted.prior_images, seed=seed),
                        failed=failed,
                        progress=progress,
                    )
                    unfitted += [f"{latent}, seed {seed}: no {name} prior: {why}" for name, why in failed.items()]
                    asked = evaluation.model_copy(update={"prior": present(model, evaluation.prior)})
                found = evaluated(folder, model, data, asked, networks, progress)
                runs.setdefault((latent, beta), []).append(Trained(seed, folder, found))
                if beta == plan.beta:
                    models.setdefault(latent, model)

    comparison = _comparison(plan, config, evaluation, data, runs, models, out, command)
    comparison["warnings"] += unfitted
    comparison["machine"] = describe_machine(resolve_precision(config.precision, device), device)
    say("timing the models in turn")
    batch = training_batch(data.split("train"), config.batch_size, 0, seed=0, flip=False)
    costs = measure_costs(models, batch, plan.baseline)
    for entry in comparison["models"]:
        entry["cost"] = _cost(costs[entry["latent"]], len(data.split("train")) / config.batch_size)
    comparison["figures"] = draw_figures(pictures(models, data, evaluation.split, evaluation.prior), comparison, out)
    write_json(out / "comparison.json", comparison)
    write_report(out, comparison)
    return comparison


def _check(evaluation: EvaluationConfig, data: ImageData) -> dict[str, str | None]:
    """Refuse what would only fail once hours of training have passed; the networks' sha256."""
    check_priors(evaluation.prior or [], len(data.split("train")))
    select(evaluation, no_probe=no_probe(data, evaluation.split))
    return network_hashes(evaluation, (data.height, data.width))


def _comparison(
    plan: Plan,
    config: TrainConfig,
    evaluation: EvaluationConfig,
    data: ImageData,
    runs: Runs,
    models: dict[str, SpatialVAE],
    out: Path,
    command: str,
) -> dict[str, Any]:
    """What comparison.json holds, costs and figures aside."""
    table = {latent: runs[latent, plan.beta] for latent in plan.latents}
    entries = []
    for latent, own in table.items():
        entry = model_entry(latent, models[latent], config.model_copy(update={"beta": plan.beta}), own, out)
        if latent != plan.baseline:
            entry["differences"] = differences(own, table[plan.baseline])
        entries.append(entry)
    found = [[run.found for run in own] for own in table.values()]
    points = [rate_distortion(latent, beta, own) for (latent, beta), own in runs.items()]
    everything = [run for own in runs.values() for run in own]
    provenance = found[0][0].provenance
    return {
        "format": 2,
        "version": __version__,
        "command": command,
        "data": _describe_data(data, config),
        "settings": config.model_dump(mode="json", exclude={"latent", "seed", "data", "beta"}),
        "evaluation": {
            **evaluation.model_dump(mode="json"),
            "features": _network(provenance.features),
            "lpips": _network(provenance.lpips),
        },
        "seeds": plan.seeds,
        "intervals": intervals(plan.seeds),
        "training_seconds": training_seconds(everything),
        "betas": plan.betas,
        "beta": plan.beta,
        "baseline": plan.baseline,
        "models": entries,
        "best": {key: best(found, key) for key in dict.fromkeys(key for entry in entries for key in entry["metrics"])},
        "rate_distortion": [point for point in points if point is not None],
        "warnings": list(dict.fromkeys(warning for run in everything for warning in run.found.warnings))
        + [
            f"{latent}, seed {run.seed}: {key} failed: {why}"
            for latent, own in table.items()
            for run in own
            for key, why in run.found.failed.items()
        ],
    }


def _network(description: NetworkDescription | None) -> dict[str, Any] | None:
    return None if description is None else as_json(description)


def _cost(cost: Cost, steps: float) -> dict[str, float]:
    return {
        **asdict(cost),
        "epoch_seconds": cost.step_seconds * steps,
        "epoch_ratio": cost.step_ratio,
        "generation_seconds": cost.picture_seconds * GENERATED,
        "generation_ratio": cost.picture_ratio,
    }


def _describe_data(data: ImageData, config: TrainConfig) -> dict[str, Any]:
    names = ("source", "name", "fingerprint", "height", "width", "channels", "channel_means")
    splits = {name: len(split) for name, split in data.splits.items()}
    told = {name: getattr(data, name) for name in names}
    return {**told, "crop": config.crop, "image_size": config.image_size, "splits": splits}
