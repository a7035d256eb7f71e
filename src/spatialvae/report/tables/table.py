"""The table of a comparison: its cells, the differences under them, and what is marked as best, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from spatialvae.report import spelling
from spatialvae.report.models import baseline_index, baseline_label, labels
from spatialvae.report.pages.seeds import intervals, left_open
from spatialvae.report.tables.decoder_note import decoder_note
from spatialvae.report.tables.linear_note import linear_notes
from spatialvae.report.tables.quantities import Quantity, quantities
from spatialvae.results import Difference, ModelResult, Results

__all__ = ["NO_DIFFERENCE", "ONE_SEED", "RULE", "ResultTable", "Row", "result_table"]

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
    """Rows of the same group stand together: see `spatialvae.report.sections.GROUPS`."""
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


def result_table(results: Results) -> ResultTable:
    """The results as rows of text; differences and best values are those of the comparison.

    >>> from spatialvae.estimate import Estimate
    >>> model = ModelResult("vector", metrics={"elbo": Estimate(-12.0, 0.5, 2)})
    >>> table = result_table(Results(models=(model,), baseline="vector"))
    >>> [(row.heading, row.cells) for row in table.rows if row.title == "bound"]
    [('bound (nats, ↑)', ('−12.0 ± 0.5',))]
    """
    models = results.models
    rows = tuple(
        Row(
            title=quantity.title,
            unit=quantity.unit,
            meaning=quantity.meaning,
            group=quantity.group,
            cells=tuple(quantity.text(model) for model in models),
            best=_best(results, quantity),
            of=quantity.of,
            differences=_differences(results, quantity),
            metric=quantity.metric,
        )
        for quantity in quantities(results)
    )
    header, over = ("quantity", *labels(results)), intervals(results.seeds)
    return ResultTable(header, rows, tuple(_notes(results, rows)), over)


def _best(results: Results, quantity: Quantity) -> int | None:
    return results.best.get(quantity.metric) if results.repeated and quantity.better else None


def _difference(model: ModelResult, quantity: Quantity) -> Difference | None:
    """A judged metric's difference to the baseline; None where there is none."""
    return (model.differences or {}).get(quantity.metric) if quantity.better else None


def _differences(results: Results, quantity: Quantity) -> tuple[str, ...]:
    baseline = baseline_index(results)
    texts = tuple(
        "" if index == baseline else _spelled(_difference(model, quantity))
        for index, model in enumerate(results.models)
    )
    return texts if any(texts) else ()


def _spelled(difference: Difference | None) -> str:
    """A difference with its interval; where that holds 0, only that none was found.

    >>> _spelled(Difference(1.0, -2.0, 4.0, "seed", "seeds"))
    'no difference found (−2 to 4)'
    """
    if difference is None or spelling.finite(difference.value) is None:
        return ""
    text = spelling.difference(difference.value, difference.low, difference.high)
    if difference.excludes_tie or spelling.finite(difference.low) is None or spelling.finite(difference.high) is None:
        return text
    _, _, interval = text.partition(" ")
    return f"{NO_DIFFERENCE} {interval}".rstrip()


def _notes(results: Results, rows: tuple[Row, ...]) -> list[str]:
    several, over = results.repeated, intervals(results.seeds)
    notes = [RULE if several else ONE_SEED] if len(results.models) > 1 else []
    bootstrap = "" if several else " (of a bootstrap, where a metric is of whole sets)"
    notes.append(f"± is one standard error {over}{bootstrap}.")
    if any(row.differences for row in rows):
        width = "95 % interval" if several else f"95 % interval, {over}"
        notes.append(
            f"Under a value: its difference to {baseline_label(results)} with the {width}; where that holds 0, "
            f"“{NO_DIFFERENCE}”: it may still be as large as the ends of the interval. {_pairing(results)}".rstrip()
        )
    notes += [*linear_notes(results), *filter(None, [decoder_note(results)])]
    return [*notes, opened] if (opened := left_open(results)) else notes


PAIRED = {
    "seed and image": "Metrics of single images are paired by seed and image.",
    "seed": "Metrics of whole sets are paired by seed.",
    "none": "Metrics of whole sets are not paired: the bootstrap errors of both sides are combined.",
}


def _pairing(results: Results) -> str:
    """How the differences of the table were paired."""
    shown = [_difference(model, quantity) for quantity in quantities(results) for model in results.models]
    kinds = {difference.paired for difference in shown if difference}
    return " ".join(text for kind, text in PAIRED.items() if kind in kinds)
