"""Which rows of the table stand in which section of a report, and under which headings."""

from __future__ import annotations

from dataclasses import dataclass

from spatialvae.report.tables.table import ResultTable, Row

__all__ = ["Part", "Section", "sections"]

SECTIONS = (
    ("quality", "Samples and reconstructions", ("samples", "reconstruction")),
    ("likelihood", "Likelihood", ("likelihood",)),
    ("health", "Latent health", ("latent",)),
    ("cost", "Size and cost", ("size", "cost")),
)
RECONSTRUCTIONS = "reconstructions"


@dataclass(frozen=True)
class Part:
    """Rows under a heading, which says what they were measured of; or under none."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Section:
    """A part of the results."""

    id: str
    title: str
    parts: tuple[Part, ...]
    spread: str = ""
    """What its ± are over, as in "± over 3 seeds"; empty where there are none."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them, in order."""
        return tuple(row for part in self.parts for row in part.rows)

    @property
    def meanings(self) -> list[tuple[str, str]]:
        """What each row means: its title once, and the words."""
        return list(dict.fromkeys((row.title, row.meaning) for row in self.rows))


def sections(table: ResultTable) -> dict[str, Section]:
    """The sections by their id, in the order of a report, those without rows left out.

    >>> row = Row("bound", "nats, ↑", "", "likelihood", ("1", "2"))
    >>> [section.title for section in sections(ResultTable(("quantity", "a", "b"), (row,), ())).values()]
    ['Likelihood']
    """
    shown = {}
    for name, title, groups in SECTIONS:
        parts: dict[tuple[str, str], list[Row]] = {}
        for row in table.rows:
            if row.group in groups:
                parts.setdefault(_place(row), []).append(row)
        if parts:
            together = tuple(Part(heading, tuple(rows)) for (heading, _), rows in parts.items())
            uncertain = any("±" in cell for part in together for row in part.rows for cell in row.cells)
            shown[name] = Section(name, title, together, f"± {table.intervals}" if uncertain else "")
    return shown


def _place(row: Row) -> tuple[str, str]:
    """The heading of a row and what else keeps it apart from others: sizes and costs have no heading, but a gap."""
    if row.group in ("samples", "reconstruction"):
        return (row.of or (RECONSTRUCTIONS if row.group == "reconstruction" else "")), ""
    return "", row.group
