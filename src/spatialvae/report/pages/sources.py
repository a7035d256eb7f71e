"""Where the numbers of a report come from: each run's file of results, the command that makes it again, and on what."""

from __future__ import annotations

from dataclasses import dataclass

from spatialvae.report import spelling
from spatialvae.report.models import labels
from spatialvae.results import Results

__all__ = ["Run", "Source", "evaluation_facts", "introduction", "sources"]

GATHERED = (
    "The tables and plots are drawn from comparison.json beside this report. It gathers, for each latent and seed, the "
    "evaluation.json of the run"
)
BY_COMMAND = "; the command under it measures the same again."
IN_MEMORY = (
    ". No command measures the same again, since the images were arrays in memory: spatialvae.evaluate(FOLDER, images) "
    "in Python does."
)


@dataclass(frozen=True)
class Run:
    """One seed of a model: the path of its results beside the report, and the command line that makes them again."""

    seed: str
    evaluation: str
    command: str


@dataclass(frozen=True)
class Source:
    """The runs behind a model's column."""

    model: int
    label: str
    runs: tuple[Run, ...]


def introduction(results: Results) -> str:
    """Where the numbers come from, and how to have them again."""
    return GATHERED + (IN_MEMORY if _in_memory(results) else BY_COMMAND)


def _in_memory(results: Results) -> bool:
    return results.data.source is None


def sources(results: Results) -> list[Source]:
    """The runs of every model that has any; no commands where the images were arrays in memory."""
    shown = []
    for index, (label, model) in enumerate(zip(labels(results), results.models, strict=True)):
        runs = tuple(
            Run(spelling.setting(run.seed), run.evaluation, "" if _in_memory(results) else run.command)
            for run in model.runs
            if run.evaluation or run.command
        )
        if runs:
            shown.append(Source(index, label, runs))
    return shown


def evaluation_facts(results: Results) -> list[tuple[str, str]]:
    """What was measured on which images with what: pairs of a name and a value."""
    data, evaluation = results.data, results.evaluation
    count = data.splits.get(evaluation.split or "")
    used = evaluation.limit if count is None else min(count, evaluation.limit or count)
    of_nll = evaluation.nll_images
    scored = used if of_nll is None else min(of_nll, used or of_nll)
    seed = spelling.setting(evaluation.seed)
    size = f"{spelling.setting(data.height)} × {spelling.setting(data.width)}"
    resized = "as they are" if data.image_size is None else f"resized to {data.image_size}"
    facts = [
        ("split", spelling.setting(evaluation.split)),
        ("images, N", _drawn(used, count, seed)),
        ("images of nll", _drawn(scored, used, seed)),
        ("crop", spelling.setting(data.crop)),
        ("image size", f"{size} pixels, {resized}"),
    ]
    for name, network in (("features", evaluation.features), ("LPIPS", evaluation.lpips)):
        facts.append((name, spelling.setting(network and network.name)))
        more = {"dimension": network.dimension, "sha256": network.sha256, "resize": network.resize} if network else {}
        facts += [(f"{name}: {what}", spelling.setting(value)) for what, value in more.items() if value is not None]
    facts += [(name.replace("_", " "), spelling.setting(value)) for name, value in evaluation.settings.items()]
    return [*facts, ("seed", seed)]


def _drawn(taken: int | None, count: int | None, seed: str) -> str:
    """How many images, and where they are not all, of how many and by which seed."""
    some = taken is not None and count is not None and taken < count
    return spelling.integer(taken) + (f" of {spelling.integer(count)}, drawn with seed {seed}" if some else "")
