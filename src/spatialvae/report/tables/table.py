"""The table of a comparison: its cells, the differences under them, and what is marked as best, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spatialvae.report import spelling
from spatialvae.report.models import baseline_index, baseline_label, labels
from spatialvae.report.pages.seeds import intervals, left_open, repeated
from spatialvae.report.tables.quantities import Quantity, quantities

__all__ = ["NO_DIFFERENCE", "ONE_SEED", "RULE", "ResultTable", "Row", "cost_note", "result_table"]

RULE = (
    "A value is marked as the best of its row only where the 95 % intervals of the paired differences to all other "
    "models exclude a tie; times and sizes are not judged."
)
ONE_SEED = "No value is marked as the best of its row: every model was trained once."
NO_DIFFERENCE = "no difference found"


@dataclass(frozen=True)
class Row:
    """One quantity of every model."""

    title: str
    unit: str
    meaning: str
    group: str
    """Rows of the same group stand together: see `spatialvae.report.tables.quantities.GROUPS`."""
    cells: tuple[str, ...]
    best: int | None = None
    """The index of the best cell; None where no model is ahead beyond doubt."""
    of: str = ""
    """What a metric of sets of images was taken of."""
    differences: tuple[str, ...] = ()
    """Under each cell the difference to the baseline with its interval, empty where there is none; or none at all."""
    metric: str = ""
    """The key of the models' metrics, for rows that are one."""

    @property
    def heading(self) -> str:
        """Title, what it is of, and unit: the row's header."""
        title = f"{self.title}, {self.of}" if self.of else self.title
        return f"{title} ({self.unit})" if self.unit else title


@dataclass(frozen=True)
class ResultTable:
    """A column a model, a row a quantity; the same for terminal, Markdown and HTML."""

    header: tuple[str, ...]
    """A name for the column of headings, then the models' labels."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    """How to read it."""
    intervals: str = ""
    """What ± is over."""


def result_table(comparison: dict[str, Any]) -> ResultTable:
    """The results as rows of text; differences and best values are those that the comparison says.

    >>> bound = {"elbo": {"value": -12.0, "standard_error": 0.5, "n": 2}}
    >>> table = result_table({"models": [{"latent": "vector", "metrics": bound}], "baseline": "vector"})
    >>> [(row.heading, row.cells) for row in table.rows if row.title == "bound"]
    [('bound (nats, ↑)', ('−12.0 ± 0.5',))]
    """
    models = comparison["models"]
    rows = tuple(
        Row(
            title=quantity.title,
            unit=quantity.unit,
            meaning=quantity.meaning,
            group=quantity.group,
            cells=tuple(quantity.text(model) for model in models),
            best=_best(comparison, quantity),
            of=quantity.of,
            differences=_differences(comparison, quantity),
            metric=quantity.metric,
        )
        for quantity in quantities(comparison)
    )
    header, over = ("quantity", *labels(comparison)), intervals(comparison.get("seeds") or [])
    return ResultTable(header, rows, tuple(_notes(comparison, rows)), over)


def cost_note(comparison: dict[str, Any]) -> str:
    """The baseline's own times, which the ratios are of; empty where they are not known."""
    index = baseline_index(comparison)
    cost = {} if index is None else comparison["models"][index].get("cost") or {}
    epoch, generation = spelling.finite(cost.get("epoch_seconds")), spelling.finite(cost.get("generation_seconds"))
    if not epoch or not generation:
        return ""
    rounds = f", timed in turn with the others over {cost['rounds']} rounds" if cost.get("rounds") else ""
    return (
        f"{baseline_label(comparison)} itself: {spelling.estimate(epoch)} s an epoch, "
        f"{spelling.estimate(generation)} s for 10,000 images{rounds}."
    )


def _best(comparison: dict[str, Any], quantity: Quantity) -> int | None:
    index = (comparison.get("best") or {}).get(quantity.metric) if repeated(comparison) else None
    return index if quantity.better and isinstance(index, int) and index < len(comparison["models"]) else None


def _difference(model: dict[str, Any], quantity: Quantity) -> dict[str, Any]:
    """A judged metric's difference to the baseline; empty where there is none."""
    found = (model.get("differences") or {}).get(quantity.metric) if quantity.better else None
    return found or {}


def _differences(comparison: dict[str, Any], quantity: Quantity) -> tuple[str, ...]:
    baseline = baseline_index(comparison)
    texts = tuple(
        "" if index == baseline else _spelled(_difference(model, quantity))
        for index, model in enumerate(comparison["models"])
    )
    return texts if any(texts) else ()


def _spelled(difference: dict[str, Any]) -> str:
    """A difference with its interval; where that holds 0, only that none was found.

    >>> _spelled({"value": 1.0, "low": -2.0, "high": 4.0})
    'no difference found (−2 to 4)'
    """
    value, low, high = (spelling.finite(difference.get(name)) for name in ("value", "low", "high"))
    if value is None:
        return ""
    text = spelling.difference(value, low, high)
    if low is None or high is None or low > 0 or high < 0:
        return text
    _, _, interval = text.partition(" ")
    return f"{NO_DIFFERENCE} {interval}".rstrip()


def _notes(comparison: dict[str, Any], rows: tuple[Row, ...]) -> list[str]:
    several, over = repeated(comparison), intervals(comparison.get("seeds") or [])
    notes = [RULE if several else ONE_SEED] if len(comparison["models"]) > 1 else []
    bootstrap = "" if several else " (of a bootstrap, where a metric is of whole sets)"
    notes.append(f"± is one standard error {over}{bootstrap}.")
    if any(row.differences for row in rows):
        width = "95 % interval" if several else f"95 % interval, {over}"
        notes.append(
            f"Under a value: its difference to {baseline_label(comparison)} with the {width}; where that holds 0, "
            f"“{NO_DIFFERENCE}”: it may still be as large as the ends of the interval. {_pairing(comparison)}".rstrip()
        )
    return [*notes, opened] if (opened := left_open(comparison)) else notes


PAIRED = {
    "seed and image": "Metrics of single images are paired by seed and image.",
    "seed": "Metrics of whole sets are paired by seed.",
    "none": "Metrics of whole sets are not paired: the bootstrap errors of both sides are combined.",
}


def _pairing(comparison: dict[str, Any]) -> str:
    """How the differences of the table were paired."""
    found = {
        _difference(model, quantity).get("paired")
        for quantity in quantities(comparison)
        for model in comparison["models"]
    }
    return " ".join(text for kind, text in PAIRED.items() if kind in found)
