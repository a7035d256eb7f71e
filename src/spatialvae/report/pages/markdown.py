"""report.md: the comparison as GitHub-flavoured Markdown, pictures by relative path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from spatialvae.report.models import labels
from spatialvae.report.pages import wording
from spatialvae.report.pages.layout import picture_figures
from spatialvae.report.pages.sources import evaluation_facts, introduction, sources
from spatialvae.report.plots import health
from spatialvae.report.sections import SECTIONS, Section
from spatialvae.report.tables.sections import SectionRows, section_rows
from spatialvae.report.tables.table import ResultTable, Row, result_table
from spatialvae.results import Results

__all__ = ["markdown_report", "markdown_table"]


def markdown_report(results: Results) -> str:
    """The whole report, in the order of the page: pictures, results, plots, and where it all comes from."""
    table = result_table(results)
    note = wording.objective_note(results)
    parts = [
        f"# {_plain(wording.headline(results))}",
        _plain(wording.introduction(results)),
        _plain(wording.verdict(results, table)),
        f"> **Note.** {_plain(note)}" if note else "",
    ]
    draw = {"pictures": _pictures, "latents": _latents, "sources": _sources, "made": _made}
    first = next((section.id for section in SECTIONS if section_rows(section, table)), None)
    for section in SECTIONS:
        own = draw.get(section.kind)
        inside = own(results) if own else _results(results, section, table, notes=section.id == first)
        if any(inside):
            parts += [f"## {_plain(section.title)}", *inside]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_table(header: Sequence[str], rows: Sequence[Row]) -> str:
    """Results as a GitHub table, best values bold, differences under the values.

    >>> row = Row(
    ...     "bound", "nats, ↑", "", "likelihood", ("−12.0", "−10.0"), best=1, differences=("", "+2.0 (1.5 to 2.5)")
    ... )
    >>> print(markdown_table(("quantity", "vector", "low-rank"), [row]))
    | quantity | vector | low-rank |
    | --- | ---: | ---: |
    | bound (nats, ↑) | −12.0 | **−10.0**<br>+2.0 (1.5 to 2.5) |
    """
    lines = [[_plain(name) for name in header], ["---", *["---:"] * (len(header) - 1)]]
    for row in rows:
        cells = [f"**{_plain(cell)}**" if index == row.best else _plain(cell) for index, cell in enumerate(row.cells)]
        for index, difference in enumerate(row.differences):
            cells[index] += f"<br>{_plain(difference)}" if difference else ""
        lines.append([_plain(row.heading), *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _pictures(results: Results) -> list[str]:
    figures, parts = results.figures, []
    for figure in picture_figures(results, figures):
        parts += [f"### {_plain(figure.title)}", _picture(figure.title, figures[figure.id]), _plain(figure.caption)]
    return parts


def _results(results: Results, section: Section, table: ResultTable, *, notes: bool) -> list[str]:
    """A section's table, with the notes on all tables where it is the first, its alarms and its plot."""
    rows, parts = section_rows(section, table), []
    if rows is not None:
        parts += _rows(table, rows)
    if notes:
        parts += [_plain(text) for text in table.notes]
        parts += [f"> **Mind.** {_plain(warning)}" for warning in health.warnings(results)]
    if section.panels:
        parts += [f"> **{_plain(labels(results)[model])}.** {_plain(alarm)}" for model, alarm in health.alarms(results)]
        captions = [f"{figure.title}: {figure.caption}" for figure in health.health_figures(results)]
        parts += _plot(results, section, section.title, captions)
    if section.plot:
        parts += _plot(results, section, section.plot.title, [section.plot.caption(results)])
    return [*parts, _plain(section.note(results))] if section.note else parts


def _rows(table: ResultTable, rows: SectionRows) -> list[str]:
    meanings = [*rows.meanings, wording.SIGNS]
    listed = "\n".join(f"- **{_plain(title)}**: {_plain(text)}" for title, text in meanings)
    header = (", ".join(part for part in (table.header[0], rows.spread) if part), *table.header[1:])
    return [markdown_table(header, rows.rows), "What the rows mean:", listed]


def _plot(results: Results, section: Section, title: str, captions: list[str]) -> list[str]:
    path = results.figures.get(section.id)
    return [_picture(title, path), *(_plain(caption) for caption in captions)] if path else []


def _picture(title: str, path: str) -> str:
    return f"![{_plain(title)}]({quote(path)})"


def _latents(results: Results) -> list[str]:
    """A line for each latent: its spelling, description and equation."""
    lines = ["| latent | spelled | distribution | equation |", "| --- | --- | --- | --- |"]
    for label, model in zip(labels(results), results.models, strict=True):
        cells = (label, model.spec or label, model.description or "–", model.equation or "–")
        lines.append(f"| {' | '.join(_plain(cell) for cell in cells)} |")
    return ["\n".join(lines)]


def _sources(results: Results) -> list[str]:
    """The runs of every model with the commands that measure them again, and what was measured on."""
    parts = [_plain(introduction(results))]
    for source in sources(results):
        parts.append(f"### {_plain(source.label)}")
        for run in source.runs:
            parts.append(f"Seed {_plain(run.seed)}: {_plain(run.evaluation)}")
            parts.append(_fenced(run.command))
    return [*parts, "### Measured on", _pairs(evaluation_facts(results))]


def _made(results: Results) -> list[str]:
    """The command, then data, settings and machine."""
    parts = [_fenced(results.command)]
    for title, pairs in wording.how_made(results):
        parts += [f"### {title}", _pairs(pairs)]
    return parts


def _pairs(pairs: list[tuple[str, str]]) -> str:
    lines = ["| name | value |", "| --- | --- |", *(f"| {_plain(name)} | {_plain(value)} |" for name, value in pairs)]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no cell borders, one line.

    >>> print(_plain("a|b <i> *c*"))
    a\\|b &lt;i&gt; \\*c\\*
    """
    text = re.sub(r"([\\`*_\[\]|~$])", r"\\\1", " ".join(text.split()))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fenced(text: str) -> str:
    """A block of code, its fence longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{text}\n{fence}" if text else ""
