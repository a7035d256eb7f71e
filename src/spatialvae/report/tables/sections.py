"""The rows of the table that stand in one section of a report, and under which headings."""

from __future__ import annotations

from dataclasses import dataclass

from spatialvae.metrics.base import RECONSTRUCTIONS
from spatialvae.report.sections import Section
from spatialvae.report.tables.table import ResultTable, Row

__all__ = ["Part", "SectionRows", "section_rows"]


@dataclass(frozen=True)
class Part:
    """Rows under a heading, which says what they were measured of; or under none."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class SectionRows:
    """The table of one section."""

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


def section_rows(section: Section, table: ResultTable) -> SectionRows | None:
    """The rows of the section's groups; None where there are none.

    >>> from spatialvae.report.sections import SECTIONS
    >>> table = ResultTable(("quantity", "a", "b"), (Row("bound", "nats, ↑", "", "likelihood", ("1", "2")),), ())
    >>> [section.title for section in SECTIONS if section_rows(section, table)]
    ['Likelihood']
    """
    parts: dict[tuple[str, str], list[Row]] = {}
    for row in table.rows:
        if row.group in section.groups:
            parts.setdefault(_place(row), []).append(row)
    if not parts:
        return None
    together = tuple(Part(heading, tuple(rows)) for (heading, _), rows in parts.items())
    uncertain = any("±" in cell for part in together for row in part.rows for cell in row.cells)
    return SectionRows(together, f"± {table.intervals}" if uncertain else "")


def _place(row: Row) -> tuple[str, str]:
    """The heading of a row and what else keeps it apart from others: sizes and costs have no heading, but a gap."""
    if row.group in ("samples", "reconstruction"):
        return (row.of or (RECONSTRUCTIONS if row.group == "reconstruction" else "")), ""
    return "", row.group
