"""The paper's experiment: the same data, order, objective, KL weight and length for every latent; one report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from spatialvae._version import __version__
from spatialvae.benchmarking import describe_machine
from spatialvae.comparison.cached_evaluation import evaluated, network_hashes
from spatialvae.comparison.comparison import Comparison
from spatialvae.comparison.cost import measure_costs
from spatialvae.comparison.entries import Trained, differences, model_result, rate_point, training_seconds
from spatialvae.comparison.pictures import pictures
from spatialvae.comparison.plan import Plan, make_plan, run_folder
from spatialvae.comparison.settings import ComparisonSettings
from spatialvae.comparison.verdict import best
from spatialvae.config import CompareConfig, EvaluationConfig, PriorConfig, TrainConfig
from spatialvae.data import ImageData
from spatialvae.data.batches import training_batch
from spatialvae.data.record import DataRecord
from spatialvae.errors import UserError
from spatialvae.fitting import check_priors, fit_missing, present
from spatialvae.metrics.latent.probe import no_probe
from spatialvae.metrics.provenance import Provenance
from spatialvae.metrics.selection import check_count, refuse_unread, select, settings_read
from spatialvae.model import SpatialVAE
from spatialvae.networks import NETWORKS
from spatialvae.priors import PRIORS, AbstractTrainedFamily
from spatialvae.records import parse
from spatialvae.report import draw_figures, intervals
from spatialvae.results import Cost, DataFacts, EvaluationFacts, Results
from spatialvae.runtime.precision import resolve_precision
from spatialvae.training.divergence import Diverged, spell_remedies
from spatialvae.training.loop import train_stage
from spatialvae.training.model_stage import ModelStage

__all__ = ["run_comparison"]

OF_IMAGES = ("split", "limit", "seed")
"""Settings that say which images are measured."""

NOT_SHARED = {"latent", "seed", "data", "beta"}
"""Settings of a training that are not those of the comparison."""

Runs = dict[tuple[str, float], list[Trained]]
"""(latent, beta) -> its seeds in order."""


def run_comparison(
    settings: ComparisonSettings,
    data: ImageData,
    out: Path,
    *,
    command: str = "",
    device: torch.device | None = None,
    progress: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Train every latent with the same betas, seeds, data order and settings, measure, and write the report into `out`.

    Runs that are complete are used as they are, interrupted ones go on; results are measured again only where something
    that they depend on has changed. comparison.json, report.md and report.html
    are written into `out`.

    Args:
        settings: the folder that they name is not read.
        data: the images.
        out: the folder of runs, results and report.
        command: the line that did all this, for the report.
        device: where to train and measure; default: the fastest.

    Raises:
        UserError: a latent named twice, a metric, split or network that is not there (all before any training), or a
            run in `out` with other settings; trainings that diverged, once all others are done.
        Interrupted: Ctrl-C or SIGTERM came; the state was saved first.
    """
    wanted, evaluation = settings.plan, settings.evaluation
    config = settings.training.replaced(**DataRecord.of(data).settings)
    plan = make_plan(wanted, config, data)
    read, networks = _check(wanted, evaluation, data)
    runs: Runs = {}
    models: dict[str, SpatialVAE] = {}
    unfitted: list[str] = []
    diverged: list[str] = []
    for latent in plan.latents:
        for beta in plan.betas:
            own = config.replaced(latent=latent, beta=beta)
            # The other betas are points of the rate-distortion curve: its two terms are all it takes.
            rate_only = EvaluationConfig(metrics="bound", **{name: getattr(evaluation, name) for name in OF_IMAGES})
            for seed in plan.seeds:
                say(f"{latent}, beta {beta:g}, seed {seed}")
                folder = run_folder(out, latent, beta, seed)
                own_seed = own.replaced(seed=seed)
                try:
                    model = train_stage(ModelStage(own_seed, data), folder, progress=progress, device=device)
                except Diverged as error:  # the others are trained before it is told
                    diverged.append(f"{latent}, beta {beta:g}, seed {seed}")
                    say(str(error).splitlines()[0])
                    continue
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
                    asked = evaluation.replaced(prior=present(model, evaluation.prior) if "prior" in read else None)
                measured = evaluated(folder, model, data, asked, networks, progress)
                runs.setdefault((latent, beta), []).append(Trained(seed, folder, measured))
                if beta == plan.beta:
                    models.setdefault(latent, model)

    if diverged:
        raise Diverged(
            f"The training of {'; of '.join(diverged)} diverged; all others are trained and measured in {out}.\n"
            "The same command without that latent, or with fewer `seeds`, makes the report of them; or train all in "
            f"a new folder with {spell_remedies(config.optimisation)}."
        )
    say("timing the models in turn")
    batch = training_batch(data.split("train"), config.optimisation.batch_size, 0, seed=0, flip=False)
    steps = len(data.split("train")) / config.optimisation.batch_size
    costs = measure_costs(models, batch, plan.baseline, steps)
    machine = describe_machine(resolve_precision(config.optimisation.precision, device), device)
    results = _results(plan, config, evaluation, data, runs, models, costs, out)
    results = replace(results, command=command, warnings=(*results.warnings, *unfitted), machine={**machine})
    figures = draw_figures(pictures(models, data, evaluation.split, evaluation.prior), results, out)
    comparison = Comparison(out, replace(results, figures=figures))
    comparison.write()
    return comparison


def _check(
    wanted: CompareConfig, evaluation: EvaluationConfig, data: ImageData
) -> tuple[frozenset[str], dict[str, str | None]]:
    """Refuse what would only fail once hours of training have passed; the settings read, and the networks' sha256."""
    priors = evaluation.prior or []
    check_priors(priors, len(data.split("train")))
    if wanted.prior_images is not None and not any(isinstance(PRIORS.parse(p), AbstractTrainedFamily) for p in priors):
        raise UserError(
            "`prior_images` is for priors with a network: name flow or flow-matching as `prior`, or leave it out."
        )
    count, metrics = len(data.split(evaluation.split)), select(evaluation, no_probe=no_probe(data, evaluation.split))
    check_count(metrics, count if evaluation.limit is None else min(count, evaluation.limit))
    refuse_unread(evaluation.replaced(prior=None), metrics)  # whatever is measured, the pictures are of the priors
    return settings_read(metrics.values()), network_hashes(evaluation, (data.height, data.width))


def _results(
    plan: Plan,
    config: TrainConfig,
    evaluation: EvaluationConfig,
    data: ImageData,
    runs: Runs,
    models: dict[str, SpatialVAE],
    costs: dict[str, Cost],
    out: Path,
) -> Results:
    """What was measured, without command, machine and figures."""
    table = {latent: runs[latent, plan.beta] for latent in plan.latents}
    own_config = config.replaced(beta=plan.beta)
    results = []
    for latent, own in table.items():
        result = replace(model_result(latent, models[latent], own_config, own, out), cost=costs[latent])
        if latent != plan.baseline:
            result = replace(result, differences=differences(own, table[plan.baseline]))
        results.append(result)
    measured = [[run.evaluation for run in own] for own in table.values()]
    points = [rate_point(latent, beta, own) for (latent, beta), own in runs.items()]
    everything = [run for own in runs.values() for run in own]
    return Results(
        version=__version__,
        data=_data_facts(data, config),
        settings={
            **{name: value for name, value in config.flat().items() if name not in NOT_SHARED},
            "network": NETWORKS.complete(config.model.network),
        },
        evaluation=_evaluation_facts(evaluation, measured[0][0].provenance),
        seeds=tuple(plan.seeds),
        intervals=intervals(plan.seeds),
        training_seconds=training_seconds(everything),
        betas=tuple(plan.betas),
        beta=plan.beta,
        baseline=plan.baseline,
        models=tuple(results),
        best={key: best(measured, key) for key in dict.fromkeys(key for result in results for key in result.metrics)},
        rate_distortion=tuple(point for point in points if point is not None),
        warnings=tuple(_warnings(table, everything)),
    )


def _warnings(table: dict[str, list[Trained]], everything: list[Trained]) -> Iterator[str]:
    """What to beware of, once each, and what could not be measured."""
    yield from dict.fromkeys(warning for run in everything for warning in run.evaluation.warnings)
    for latent, own in table.items():
        for run in own:
            for key, reason in run.evaluation.failed.items():
                yield f"{latent}, seed {run.seed}: {key} failed: {reason}"


def _evaluation_facts(evaluation: EvaluationConfig, provenance: Provenance) -> EvaluationFacts:
    """The settings of the evaluation, the networks by what they are in place of their paths."""
    facts = parse(EvaluationFacts, {**evaluation.model_dump(mode="json"), "features": None, "lpips": None}, "settings")
    return replace(facts, features=provenance.features, lpips=provenance.lpips)


def _data_facts(data: ImageData, config: TrainConfig) -> DataFacts:
    return DataFacts(
        source=data.source,
        name=data.name,
        fingerprint=data.fingerprint,
        height=data.height,
        width=data.width,
        channels=data.channels,
        channel_means=tuple(data.channel_means),
        crop=config.data.crop,
        image_size=config.data.image_size,
        splits={name: len(split) for name, split in data.splits.items()},
    )
