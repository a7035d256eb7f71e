"""The report of `spatialvae compare`: figures and one table, as Markdown, as one HTML file and in a terminal."""

from __future__ import annotations

from pathlib import Path

from spatialvae.files import replacing
from spatialvae.report.pages.html import html_report
from spatialvae.report.pages.markdown import markdown_report
from spatialvae.report.pages.seeds import intervals
from spatialvae.report.plots.figures import Pictures, draw_figures
from spatialvae.report.tables.notebook import html_table
from spatialvae.report.tables.table import ResultTable, Row, result_table
from spatialvae.report.tables.terminal import terminal_table
from spatialvae.results import Results

__all__ = [
    "Pictures",
    "ResultTable",
    "Row",
    "draw_figures",
    "html_table",
    "intervals",
    "result_table",
    "terminal_table",
    "write_report",
]


def write_report(folder: Path, results: Results) -> tuple[Path, Path]:
    """report.md and report.html in `folder`, from what a comparison measured; each replaced in one step.

    Args:
        folder: where the figures' relative paths start.
        results: its `figures` as `draw_figures` returned them.

    Raises:
        UserError: a figure's file is missing, or its path leaves the folder.
    """
    texts = {"report.md": markdown_report(results), "report.html": html_report(folder, results)}
    for name, text in texts.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return folder / "report.md", folder / "report.html"
