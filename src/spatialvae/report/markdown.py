"""report.md: the comparison as GitHub-flavoured Markdown, pictures by relative path."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from spatialvae.report import curves, wording
from spatialvae.report.layout import CURVES, picture_figures
from spatialvae.report.models import labels
from spatialvae.report.table import ResultTable, result_table

__all__ = ["markdown_report", "markdown_table"]


def markdown_report(comparison: dict[str, Any]) -> str:
    """The whole report: pictures, table, curves, and how it was made."""
    figures, table = comparison.get("figures") or {}, result_table(comparison)
    note = wording.objective_note(comparison)
    parts = [
        f"# {_plain(wording.headline(comparison))}",
        _plain(wording.introduction(comparison)),
        _plain(wording.verdict(table)),
        f"> **Note.** {_plain(note)}" if note else "",
        "## Pictures",
    ]
    for figure in picture_figures(comparison, figures):
        picture = f"![{_plain(figure.title)}]({quote(figures[figure.id])})"
        parts += [f"### {_plain(figure.title)}", picture, _plain(figure.caption)]
    parts += ["## Results", markdown_table(table), *(_plain(text) for text in table.notes)]
    parts += [
        "What the rows mean:",
        "\n".join(f"- **{_plain(title)}**: {_plain(text)}" for title, text in wording.meanings(table)),
    ]
    if CURVES in figures:
        picture = f"![{_plain(curves.TITLE)}]({quote(figures[CURVES])})"
        parts += ["## Learning curves", picture, _plain(curves.CAPTION)]
    parts += ["## The latents", _latents(comparison), "## How this was made"]
    parts.append(_fenced(str(comparison.get("command", ""))))
    for title, pairs in wording.how_made(comparison):
        parts += [f"### {title}", _pairs(pairs)]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_table(table: ResultTable) -> str:
    """The results as a GitHub table, best values bold.

    >>> from spatialvae.report.table import Row
    >>> row = Row("bound", "nats, ↑", "", "quality", ("−12.0 ± 0.5", "−10.0 ± 0.5"), best=1)
    >>> print(markdown_table(ResultTable(("quantity", "vector", "low-rank"), (row,), ())))
    | quantity | vector | low-rank |
    | --- | ---: | ---: |
    | bound (nats, ↑) | −12.0 ± 0.5 | **−10.0 ± 0.5** |
    """
    lines = [[_plain(name) for name in table.header], ["---", *["---:"] * (len(table.header) - 1)]]
    for row in table.rows:
        cells = [f"**{_plain(cell)}**" if index == row.best else _plain(cell) for index, cell in enumerate(row.cells)]
        lines.append([_plain(row.heading), *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _latents(comparison: dict[str, Any]) -> str:
    """A line for each latent: its spelling, law and equation."""
    lines = ["| latent | spelled | law | equation |", "| --- | --- | --- | --- |"]
    for label, model in zip(labels(comparison), comparison["models"], strict=True):
        cells = (label, model.get("spec") or label, model.get("law") or "–", model.get("equation") or "–")
        lines.append(f"| {' | '.join(_plain(str(cell)) for cell in cells)} |")
    return "\n".join(lines)


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
