"""The sentences of a report that Markdown and HTML share."""

from __future__ import annotations

from spatialvae.records import as_json
from spatialvae.report import spelling
from spatialvae.report.models import labels
from spatialvae.report.pages.seeds import intervals
from spatialvae.report.tables.table import ResultTable
from spatialvae.results import Results

__all__ = ["SIGNS", "headline", "how_made", "introduction", "objective_note", "verdict"]


JUDGED = ("frechet/standard", "frechet/gaussian", "mse", "elbo")
"""What the first sentence about the results is made of: one metric of each kind."""


def headline(results: Results) -> str:
    """What was compared on what.

    >>> from spatialvae.results import DataFacts, ModelResult
    >>> headline(Results(models=(ModelResult("naive"), ModelResult("vector")), data=DataFacts("digits", "digits")))
    '2 latents compared on digits'
    """
    count = len(results.models)
    return (
        f"{count} latents compared on {_data_name(results)}" if count != 1 else f"One latent on {_data_name(results)}"
    )


def introduction(results: Results) -> str:
    """Data, length and seeds in one or two sentences."""
    data, seeds = results.data, results.seeds
    train = data.splits.get("train")
    images = f"{spelling.integer(train)} training images" if train else "Images"
    size = f"{spelling.setting(data.height)} × {spelling.setting(data.width)} pixels"
    parts = [f"{images} of {size}, {data.channels} channel{'' if data.channels == 1 else 's'}."]
    seen = results.settings.get("images")
    length = f"saw {spelling.integer(seen)} images" if isinstance(seen, int) else "was trained equally long"
    with_seeds = (
        f", with seed{'' if len(seeds) == 1 else 's'} {_listed([str(seed) for seed in seeds])}" if seeds else ""
    )
    parts.append(f"Every model {length}{with_seeds}, in the same order, with the same objective and settings.")
    if len(results.betas) > 1:
        listed = _listed([f"{beta:g}" for beta in results.betas])
        parts.append(f"The KL was weighted by β = {listed}; pictures and tables are of β = {results.beta:g}.")
    return " ".join(parts)


def verdict(results: Results, table: ResultTable) -> str:
    """Who is ahead by the measures that rank models, or that nobody is; empty for a single model."""
    if len(table.header) < 3:
        return ""
    if not results.repeated:
        return f"No latent is called the best: every model was trained once, and its intervals are {intervals([])}."
    ahead: dict[str, list[str]] = {}
    for row in table.rows:
        if row.metric in JUDGED and sum(cell != spelling.MISSING for cell in row.cells) > 1:
            # Not the whole title: it ends with the feature network's name.
            words = row.title.split(",")[0] + (f" of {row.of}" if row.of else "")
            ahead.setdefault("" if row.best is None else table.header[1 + row.best], []).append(words)
    parts = [f"{name} has the best {_listed(rows)}" for name, rows in ahead.items() if name]
    if "" in ahead:
        parts.append(f"no latent leads in {_listed(ahead[''])} beyond the 95 % intervals")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text.startswith("no latent") else f"{text}." if text else ""


def objective_note(results: Results) -> str:
    """What a reader must know where the paper's loss was trained; empty for the bound itself."""
    if results.settings.get("objective") != "paper":
        return ""
    weights = [
        f"{label} {spelling.estimate(model.kl_weight)}"
        for label, model in zip(labels(results), results.models, strict=True)
        if model.kl_weight
    ]
    amounts = f" Here the weights are {_listed(weights)}." if weights else ""
    return (
        "Trained with the paper's loss (objective “paper”), which averages the error over pixels and the KL over "
        "latents. It weighs the KL by pixels / (2 latents), so differently for each latent: the models did not "
        f"minimise the same thing.{amounts}"
    )


SIGNS = ("↑ ↓ –", "higher is better, lower is better, not measured or not defined for that latent")


def how_made(results: Results) -> list[tuple[str, list[tuple[str, str]]]]:
    """Data, settings and machine: a title and pairs of name and value each."""
    hidden = {"splits", "name"} if results.data.name == results.data.source else {"splits"}
    data = {name: value for name, value in as_json(results.data).items() if name not in hidden}
    described = [(name, spelling.setting(value)) for name, value in data.items()]
    described += [(f"{name} images", spelling.integer(count)) for name, count in results.data.splits.items()]
    seeds = [("seeds", ", ".join(str(seed) for seed in results.seeds) or spelling.MISSING)]
    betas = [("betas", spelling.setting(results.betas))] if results.betas else []
    settings = [(name, spelling.setting(value)) for name, value in results.settings.items()]
    program = [("spatialvae", results.version)]
    machine = [(name, spelling.setting(value)) for name, value in results.machine.items()]
    return [("Data", described), ("Settings", seeds + betas + settings), ("Machine", program + machine)]


def _data_name(results: Results) -> str:
    return results.data.name or results.data.source or "images"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
