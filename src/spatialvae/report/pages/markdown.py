"""report.md: the comparison as GitHub-flavoured Markdown, pictures by relative path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from spatialvae.report.models import labels
from spatialvae.report.pages import wording
from spatialvae.report.pages.layout import CURVES, HEALTH, RATE_DISTORTION, picture_figures
from spatialvae.report.pages.sources import evaluation_facts, introduction, sources
from spatialvae.report.plots import curves, health, rate_distortion
from spatialvae.report.tables.sections import Section, sections
from spatialvae.report.tables.table import ResultTable, Row, cost_note, result_table
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
        *_pictures(results),
        *_results(results, table),
        "## The latents",
        _latents(results),
        *_sources(results),
        "## How this was made",
        _fenced(results.command),
    ]
    for title, pairs in wording.how_made(results):
        parts += [f"### {title}", _pairs(pairs)]
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
    figures = results.figures
    parts = ["## Pictures"]
    for figure in picture_figures(results, figures):
        parts += [f"### {_plain(figure.title)}", _picture(figure.title, figures[figure.id]), _plain(figure.caption)]
    return parts if len(parts) > 1 else []


def _results(results: Results, table: ResultTable) -> list[str]:
    """The sections with their tables, the plots between them."""
    shown = sections(table)
    first = next(iter(shown), None)
    parts = []
    for name in ("quality", "likelihood", "health"):
        if name in shown:
            parts += _section(table, shown[name])
        if name == first:
            parts += [_plain(text) for text in table.notes]
            parts += [f"> **Mind.** {_plain(warning)}" for warning in health.warnings(results)]
    for model, alarm in health.alarms(results):
        parts.append(f"> **{_plain(labels(results)[model])}.** {_plain(alarm)}")
    captions = [f"{figure.title}: {figure.caption}" for figure in health.health_figures(results)]
    parts += _plot(results, HEALTH, "Latent health", captions)
    parts += ["## Rate and distortion"] if RATE_DISTORTION in results.figures else []
    parts += _plot(results, RATE_DISTORTION, rate_distortion.TITLE, [rate_distortion.caption(results)])
    parts += ["## Learning curves"] if CURVES in results.figures else []
    parts += _plot(results, CURVES, curves.TITLE, [curves.caption(results)])
    return parts + (_section(table, shown["cost"]) if "cost" in shown else []) + [_plain(cost_note(results))]


def _section(table: ResultTable, section: Section) -> list[str]:
    meanings = [*section.meanings, wording.SIGNS]
    listed = "\n".join(f"- **{_plain(title)}**: {_plain(text)}" for title, text in meanings)
    heading = f"## {_plain(section.title)}"
    header = (", ".join(part for part in (table.header[0], section.spread) if part), *table.header[1:])
    return [heading, markdown_table(header, section.rows), "What the rows mean:", listed]


def _plot(results: Results, name: str, title: str, captions: list[str]) -> list[str]:
    path = results.figures.get(name)
    return [_picture(title, path), *(_plain(caption) for caption in captions)] if path else []


def _picture(title: str, path: str) -> str:
    return f"![{_plain(title)}]({quote(path)})"


def _latents(results: Results) -> str:
    """A line for each latent: its spelling, description and equation."""
    lines = ["| latent | spelled | distribution | equation |", "| --- | --- | --- | --- |"]
    for label, model in zip(labels(results), results.models, strict=True):
        cells = (label, model.spec or label, model.description or "–", model.equation or "–")
        lines.append(f"| {' | '.join(_plain(cell) for cell in cells)} |")
    return "\n".join(lines)


def _sources(results: Results) -> list[str]:
    """The runs of every model with the commands that measure them again, and what was measured on."""
    parts = ["## Where the numbers are", _plain(introduction(results))]
    for source in sources(results):
        parts.append(f"### {_plain(source.label)}")
        for run in source.runs:
            parts.append(f"Seed {_plain(run.seed)}: {_plain(run.evaluation)}")
            parts.append(_fenced(run.command))
    return [*parts, "### Measured on", _pairs(evaluation_facts(results))]


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
