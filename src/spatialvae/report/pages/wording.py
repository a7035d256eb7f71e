"""The sentences of a report that Markdown and HTML share."""

from __future__ import annotations

from typing import Any

from spatialvae.report import spelling
from spatialvae.report.models import labels
from spatialvae.report.pages.seeds import intervals, repeated
from spatialvae.report.tables.table import ResultTable

__all__ = ["SIGNS", "headline", "how_made", "introduction", "objective_note", "verdict"]


JUDGED = ("frechet/standard", "frechet/gaussian", "mse", "elbo")
"""What the first sentence about the results is made of: one metric of each kind."""


def headline(comparison: dict[str, Any]) -> str:
    """What was compared on what.

    >>> headline({"models": [{}, {}], "data": {"name": "digits"}})
    '2 latents compared on digits'
    """
    count = len(comparison["models"])
    return (
        f"{count} latents compared on {_data_name(comparison)}"
        if count != 1
        else f"One latent on {_data_name(comparison)}"
    )


def introduction(comparison: dict[str, Any]) -> str:
    """Data, length and seeds in one or two sentences."""
    data, settings, seeds = (
        comparison.get("data") or {},
        comparison.get("settings") or {},
        comparison.get("seeds") or [],
    )
    channels = data.get("channels")
    train = (data.get("splits") or {}).get("train")
    images = f"{spelling.integer(train)} training images" if train else "Images"
    size = f"{spelling.setting(data.get('height'))} × {spelling.setting(data.get('width'))} pixels"
    parts = [f"{images} of {size}, {channels} channel{'' if channels == 1 else 's'}."]
    seen = settings.get("images")
    length = f"saw {spelling.integer(seen)} images" if spelling.finite(seen) else "was trained equally long"
    with_seeds = (
        f", with seed{'' if len(seeds) == 1 else 's'} {_listed([str(seed) for seed in seeds])}" if seeds else ""
    )
    parts.append(f"Every model {length}{with_seeds}, in the same order, with the same objective and settings.")
    betas = comparison.get("betas") or []
    if len(betas) > 1:
        listed = _listed([f"{beta:g}" for beta in betas])
        parts.append(f"The KL was weighted by β = {listed}; pictures and tables are of β = {comparison.get('beta'):g}.")
    return " ".join(parts)


def verdict(comparison: dict[str, Any], table: ResultTable) -> str:
    """Who is ahead by the measures that rank models, or that nobody is said to be; empty for a single model."""
    if len(table.header) < 3:
        return ""
    if not repeated(comparison):
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


def objective_note(comparison: dict[str, Any]) -> str:
    """What must be said where the paper's loss was trained; empty for the bound itself."""
    if (comparison.get("settings") or {}).get("objective") != "paper":
        return ""
    pairs = zip(labels(comparison), comparison["models"], strict=True)
    weights = [
        f"{label} {spelling.estimate(weight)}"
        for label, model in pairs
        if (weight := spelling.finite(model.get("kl_weight")))
    ]
    amounts = f" Here the weights are {_listed(weights)}." if weights else ""
    return (
        "Trained with the paper's loss (objective “paper”), which averages the error over pixels and the KL over "
        "latents. It weighs the KL by pixels / (2 latents), so differently for each latent: the models did not "
        f"minimise the same thing.{amounts}"
    )


SIGNS = ("↑ ↓ –", "higher is better, lower is better, not measured or not defined for that latent")


def how_made(comparison: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Data, settings and machine: a title and pairs of name and value each."""
    data, machine = dict(comparison.get("data") or {}), comparison.get("machine") or {}
    splits = data.pop("splits", None) or {}
    if data.get("name") == data.get("source"):
        data.pop("name", None)
    described = [(name, spelling.setting(value)) for name, value in data.items()]
    described += [(f"{name} images", spelling.integer(count)) for name, count in splits.items()]
    seeds = [("seeds", ", ".join(str(seed) for seed in comparison.get("seeds") or []) or spelling.MISSING)]
    settings = [(name, spelling.setting(value)) for name, value in (comparison.get("settings") or {}).items()]
    program = [("spatialvae", str(comparison.get("version", spelling.MISSING)))]
    machines = [(name, spelling.setting(value)) for name, value in machine.items()]
    betas = [("betas", spelling.setting(comparison.get("betas")))] if comparison.get("betas") else []
    parts = [("Data", described), ("Settings", seeds + betas + settings), ("Machine", program + machines)]
    return [part for part in parts if part[1]]


def _data_name(comparison: dict[str, Any]) -> str:
    data = comparison.get("data") or {}
    return str(data.get("name") or data.get("source") or "images")


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
