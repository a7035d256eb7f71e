"""report.md: the comparison as GitHub-flavoured Markdown, pictures by relative path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from spatialvae.report.models import labels
from spatialvae.report.pages import wording
from spatialvae.report.pages.layout import CURVES, HEALTH, RATE_DISTORTION, picture_figures
from spatialvae.report.pages.sources import INTRODUCTION, evaluation_facts, sources
from spatialvae.report.plots import curves, health, rate_distortion
from spatialvae.report.tables.sections import Section, sections
from spatialvae.report.tables.table import ResultTable, Row, cost_note, result_table

__all__ = ["markdown_report", "markdown_table"]


def markdown_report(comparison: dict[str, Any]) -> str:
    """The whole report, in the order of the page: pictures, results, plots, and where it all comes from."""
    table = result_table(comparison)
    note = wording.objective_note(comparison)
    parts = [
        f"# {_plain(wording.headline(comparison))}",
        _plain(wording.introduction(comparison)),
        _plain(wording.verdict(comparison, table)),
        f"> **Note.** {_plain(note)}" if note else "",
        *_pictures(comparison),
        *_results(comparison, table),
        "## The latents",
        _latents(comparison),
        *_sources(comparison),
        "## How this was made",
        _fenced(str(comparison.get("command", ""))),
    ]
    for title, pairs in wording.how_made(comparison):
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


def _pictures(comparison: dict[str, Any]) -> list[str]:
    figures = comparison.get("figures") or {}
    parts = ["## Pictures"]
    for figure in picture_figures(comparison, figures):
        parts += [f"### {_plain(figure.title)}", _picture(figure.title, figures[figure.id]), _plain(figure.caption)]
    return parts if len(parts) > 1 else []


def _results(comparison: dict[str, Any], table: ResultTable) -> list[str]:
    """The sections with their tables, the plots between them."""
    found = sections(table)
    first = next(iter(found), None)
    parts = []
    for name in ("quality", "likelihood", "health"):
        if name in found:
            parts += _section(table, found[name])
        if name == first:
            parts += [_plain(text) for text in table.notes]
            parts += [f"> **Mind.** {_plain(str(warning))}" for warning in comparison.get("warnings") or []]
    for model, alarm in health.alarms(comparison):
        parts.append(f"> **{_plain(labels(comparison)[model])}.** {_plain(alarm)}")
    captions = [f"{figure.title}: {figure.caption}" for figure in health.health_figures(comparison)]
    parts += _plot(comparison, HEALTH, "Latent health", captions)
    parts += ["## Rate and distortion"] if RATE_DISTORTION in (comparison.get("figures") or {}) else []
    parts += _plot(comparison, RATE_DISTORTION, rate_distortion.TITLE, [rate_distortion.caption(comparison)])
    parts += ["## Learning curves"] if CURVES in (comparison.get("figures") or {}) else []
    parts += _plot(comparison, CURVES, curves.TITLE, [curves.caption(comparison)])
    return parts + (_section(table, found["cost"]) if "cost" in found else []) + [_plain(cost_note(comparison))]


def _section(table: ResultTable, section: Section) -> list[str]:
    meanings = [*section.meanings, wording.SIGNS]
    listed = "\n".join(f"- **{_plain(title)}**: {_plain(text)}" for title, text in meanings)
    heading = f"## {_plain(section.title)}"
    header = (", ".join(part for part in (table.header[0], section.spread) if part), *table.header[1:])
    return [heading, markdown_table(header, section.rows), "What the rows mean:", listed]


def _plot(comparison: dict[str, Any], name: str, title: str, captions: list[str]) -> list[str]:
    path = (comparison.get("figures") or {}).get(name)
    return [_picture(title, path), *(_plain(caption) for caption in captions)] if path else []


def _picture(title: str, path: str) -> str:
    return f"![{_plain(title)}]({quote(path)})"


def _latents(comparison: dict[str, Any]) -> str:
    """A line for each latent: its spelling, law and equation."""
    lines = ["| latent | spelled | law | equation |", "| --- | --- | --- | --- |"]
    for label, model in zip(labels(comparison), comparison["models"], strict=True):
        cells = (label, model.get("spec") or label, model.get("law") or "–", model.get("equation") or "–")
        lines.append(f"| {' | '.join(_plain(str(cell)) for cell in cells)} |")
    return "\n".join(lines)


def _sources(comparison: dict[str, Any]) -> list[str]:
    """The runs of every model with the commands that measure them again, and what was measured on."""
    parts = ["## Where the numbers are", _plain(INTRODUCTION)]
    for source in sources(comparison):
        parts.append(f"### {_plain(source.label)}")
        for run in source.runs:
            parts.append(f"Seed {_plain(run.seed)}: {_plain(run.evaluation)}")
            parts.append(_fenced(run.command))
    return [*parts, "### Measured on", _pairs(evaluation_facts(comparison))]


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
