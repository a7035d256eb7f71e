"""Where the numbers of a report come from: each run's file of results, the command that makes it again, and on what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spatialvae.report import spelling
from spatialvae.report.models import labels

__all__ = ["INTRODUCTION", "Run", "Source", "evaluation_facts", "sources"]

INTRODUCTION = (
    "The tables and plots are drawn from comparison.json beside this report. It gathers, for each latent and seed, the "
    "evaluation.json of the run; the command under it measures the same again."
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


def sources(comparison: dict[str, Any]) -> list[Source]:
    """The runs of every model that has any."""
    found = []
    for index, (label, model) in enumerate(zip(labels(comparison), comparison["models"], strict=True)):
        runs = tuple(
            Run(spelling.setting(run.get("seed")), str(run.get("evaluation") or ""), str(run.get("command") or ""))
            for run in model.get("runs") or []
            if run.get("evaluation") or run.get("command")
        )
        if runs:
            found.append(Source(index, label, runs))
    return found


def evaluation_facts(comparison: dict[str, Any]) -> list[tuple[str, str]]:
    """What was measured on which images with what: pairs of a name and a value."""
    data, evaluation = comparison.get("data") or {}, dict(comparison.get("evaluation") or {})
    features, lpips = evaluation.pop("features", None) or {}, evaluation.pop("lpips", None) or {}
    split, limit = evaluation.pop("split", None), evaluation.pop("limit", None)
    count = spelling.finite((data.get("splits") or {}).get(split))
    used = spelling.finite(limit) if count is None else min(count, spelling.finite(limit) or count)
    of_nll = spelling.finite(evaluation.pop("nll_images", None))
    scored = used if of_nll is None else min(of_nll, used or of_nll)
    seed = spelling.setting(evaluation.get("seed"))
    size = f"{spelling.setting(data.get('height'))} × {spelling.setting(data.get('width'))}"
    resized = "as they are" if data.get("image_size") is None else f"resized to {data['image_size']}"
    facts = [
        ("split", spelling.setting(split)),
        ("images, N", _drawn(used, count, seed)),
        ("images of nll", _drawn(scored, used, seed)),
        ("crop", spelling.setting(data.get("crop"))),
        ("image size", f"{size} pixels, {resized}"),
    ]
    for name, network in (("features", features), ("LPIPS", lpips)):
        facts.append((name, spelling.setting(network.get("name"))))
        said = (
            ("dimension", network.get("dimension")),
            ("sha256", network.get("sha256")),
            ("resize", network.get("resize")),
        )
        facts += [(f"{name}: {what}", spelling.setting(value)) for what, value in said if value is not None]
    return facts + [(name.replace("_", " "), spelling.setting(value)) for name, value in evaluation.items()]


def _drawn(taken: float | None, count: float | None, seed: str) -> str:
    """How many images, and where they are not all, of how many and by which seed."""
    some = taken is not None and count is not None and taken < count
    return spelling.integer(taken) + (f" of {spelling.integer(count)}, drawn with seed {seed}" if some else "")
