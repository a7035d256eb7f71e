"""The table of a comparison: its quantities, units, formatting and what is marked as best, in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from spatialvae.report import spelling
from spatialvae.report.models import labels

__all__ = ["RULE", "ResultTable", "Row", "result_table"]

Model = dict[str, Any]
RULE = (
    "The best value of a row is marked only where its distance to the runner-up exceeds their two standard errors "
    "added together; times and sizes are not judged."
)


@dataclass(frozen=True)
class Row:
    """One quantity of every model."""

    title: str
    unit: str
    meaning: str
    group: str
    """Rows of the same group stand together: model, quality or cost."""
    cells: tuple[str, ...]
    best: int | None = None
    """The index of the best cell; None where no model is ahead by more than the error."""

    @property
    def heading(self) -> str:
        """Title and unit: the row's header."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True)
class ResultTable:
    """A column a model, a row a quantity; the same for terminal, Markdown and HTML."""

    header: tuple[str, ...]
    """A name for the column of headings, then the models' labels."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    """What to print under the table."""


@dataclass(frozen=True)
class Quantity:
    """A row of the table before it is read from the models."""

    title: str
    unit: str
    meaning: str
    group: str
    text: Callable[[Model], str]
    metric: str = ""
    better: Literal["higher", "lower", ""] = ""


def result_table(comparison: dict[str, Any]) -> ResultTable:
    """The results as rows of text, best values marked by RULE.

    >>> bound = {"elbo": {"value": -12.0, "standard_error": 0.5, "n": 2}}
    >>> table = result_table({"models": [{"latent": "vector", "metrics": bound}], "baseline": "vector"})
    >>> [(row.heading, row.cells) for row in table.rows if row.title == "bound"]
    [('bound (nats, ↑)', ('−12.0 ± 0.5',))]
    """
    models = comparison["models"]
    quantities = [*_model_rows(comparison), *QUALITY, *_cost_rows(comparison)]
    rows = tuple(
        Row(
            title=quantity.title,
            unit=quantity.unit,
            meaning=quantity.meaning,
            group=quantity.group,
            cells=tuple(quantity.text(model) for model in models),
            best=_best([_estimate(model, quantity.metric) for model in models], quantity.better),
        )
        for quantity in quantities
    )
    return ResultTable(("quantity", *labels(comparison)), rows, (RULE, *_notes(comparison)))


def _best(values: list[tuple[float | None, float | None]], better: str) -> int | None:
    """The best value's index, if it is ahead of the runner-up by more than both standard errors together."""
    known = [(value, error, index) for index, (value, error) in enumerate(values) if value is not None]
    if not better or len(known) < 2:
        return None
    first, second = sorted(known, key=lambda item: item[0], reverse=better == "higher")[:2]
    if first[1] is None or second[1] is None:
        return None
    return first[2] if abs(first[0] - second[0]) > first[1] + second[1] else None


def _estimate(model: Model, name: str) -> tuple[float | None, float | None]:
    entry = (model.get("metrics") or {}).get(name) or {}
    return spelling.finite(entry.get("value")), spelling.finite(entry.get("standard_error"))


def _metric(name: str) -> Callable[[Model], str]:
    return lambda model: spelling.estimate(*_estimate(model, name))


def _inside(part: str, name: str, spell: Callable[[Any], str]) -> Callable[[Model], str]:
    return lambda model: spell((model.get(part) or {}).get(name))


def _quality(metric: str, title: str, unit: str, better: Literal["higher", "lower", ""], meaning: str) -> Quantity:
    arrow = {"higher": ", ↑", "lower": ", ↓", "": ""}[better]
    return Quantity(title, unit + arrow, meaning, "quality", _metric(metric), metric, better)


QUALITY = (
    _quality(
        "elbo",
        "bound",
        "nats",
        "higher",
        "the evidence lower bound on log p(x), reconstruction minus KL, in nats per image; higher is better",
    ),
    _quality(
        "nll",
        "neg. log-likelihood",
        "nats",
        "lower",
        "minus the importance-weighted bound, a tighter bound than the one above, in nats per image; lower is better",
    ),
    _quality(
        "bits_per_dim",
        "bits per dim",
        "bits",
        "lower",
        "the bound as a code length of the 8-bit image, in bits per number of the image; lower is better",
    ),
    _quality(
        "reconstruction",
        "reconstruction",
        "nats",
        "",
        "the expected log-density of the image given its code, the first term of the bound, in nats per image",
    ),
    _quality(
        "kl",
        "KL",
        "nats",
        "",
        "how much the code says about the image, the second term of the bound, in nats per image; "
        "neither more nor less is better by itself",
    ),
    _quality(
        "mse",
        "squared error",
        "of 0 to 1",
        "lower",
        "the mean squared difference between image and reconstruction, pixels in [0, 1]; lower is better",
    ),
    _quality(
        "psnr", "PSNR", "dB", "higher", "the same error as a peak signal-to-noise ratio, in decibels; higher is better"
    ),
    _quality(
        "ssim",
        "SSIM",
        "at most 1",
        "higher",
        "the structural similarity of image and reconstruction, without unit; higher is better",
    ),
)


def _model_rows(comparison: dict[str, Any]) -> list[Quantity]:
    """What each model is: the sizes that one compares before the results."""
    code = "the shape of a code, maps × height × width; a vector is maps of 1 × 1"
    outputs = "how many numbers the encoder puts out for one image, the parameters of q(z|x)"
    sizes = "trainable numbers of the {}"
    rows = [
        Quantity("latent", "maps × h × w", code, "model", _code),
        Quantity(
            "encoder outputs", "numbers", outputs, "model", lambda model: spelling.integer(model.get("encoder_outputs"))
        ),
        Quantity(
            "encoder",
            "parameters",
            sizes.format("encoder"),
            "model",
            _inside("parameters", "encoder", spelling.integer),
        ),
        Quantity(
            "decoder",
            "parameters",
            sizes.format("decoder"),
            "model",
            _inside("parameters", "decoder", spelling.integer),
        ),
    ]
    if any(spelling.finite(model.get("kl_weight")) is not None for model in comparison["models"]):
        weight = "the factor of the KL, both terms in nats, that the paper's loss amounts to: pixels / (2 latents)"
        rows.append(
            Quantity("KL weight", "factor", weight, "model", lambda model: spelling.estimate(model.get("kl_weight")))
        )
    return rows


def _cost_rows(comparison: dict[str, Any]) -> list[Quantity]:
    baseline = comparison.get("baseline", "the first")
    unit = f"× {baseline}"
    epoch = f"the time of one pass over the training images, as a ratio to {baseline}"
    generation = f"the time to generate 10,000 images, as a ratio to {baseline}"
    return [
        Quantity("epoch time", unit, epoch, "cost", _inside("cost", "epoch_ratio", spelling.ratio)),
        Quantity("10,000 images", unit, generation, "cost", _inside("cost", "generation_ratio", spelling.ratio)),
    ]


def _code(model: Model) -> str:
    code = model.get("code")
    return " × ".join(spelling.integer(side) for side in code) if code else spelling.MISSING


def _notes(comparison: dict[str, Any]) -> list[str]:
    seeds = comparison.get("seeds") or []
    if len(seeds) > 1:
        notes = [f"± is one standard error over {len(seeds)} seeds."]
    else:
        notes = [
            "± is one standard error over the images; with one seed it does not tell "
            "how much another training run differs."
        ]
    for model, label in zip(comparison["models"], labels(comparison), strict=True):
        cost = model.get("cost") or {}
        epoch, generation = spelling.finite(cost.get("epoch_seconds")), spelling.finite(cost.get("generation_seconds"))
        if comparison.get("baseline") in (model["latent"], model.get("spec")) and epoch and generation:
            rounds = f", timed in turn with the others over {cost['rounds']} rounds" if cost.get("rounds") else ""
            notes.append(
                f"{label} itself: {spelling.estimate(epoch)} s an epoch, {spelling.estimate(generation)} s "
                f"for 10,000 images{rounds}."
            )
            break
    return notes
