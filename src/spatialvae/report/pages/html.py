"""report.html: the comparison as one file that asks nothing of any network."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatialvae.errors import UserError
from spatialvae.report.models import colour_rules, colour_variable, labels
from spatialvae.report.pages import wording
from spatialvae.report.pages.layout import picture_figures
from spatialvae.report.pages.sources import evaluation_facts, introduction, sources
from spatialvae.report.plots import health
from spatialvae.report.plots.panel import panel_svg
from spatialvae.report.sections import SECTIONS, Plot
from spatialvae.report.tables.sections import section_rows
from spatialvae.report.tables.table import ResultTable, result_table
from spatialvae.results import Results

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["html_report"]

TEMPLATES = Path(__file__).parent / "templates"
SMALL = 64  # the sides of images whose pixels are shown as squares


def html_report(folder: Path, results: Results) -> str:
    """The page; pictures are read from `folder` and embedded, every text from `comparison` is escaped.

    Raises:
        UserError: a figure's file is missing, or its path leaves the folder.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    data, table = results.data, result_table(results)
    shown = _sections(results, table)
    return environment.get_template("report.html.j2").render(
        headline=wording.headline(results),
        introduction=wording.introduction(results),
        verdict=wording.verdict(results, table),
        note=wording.objective_note(results),
        figures=_figures(folder, results),
        pixelated=max(data.height or 0, data.width or 0) < SMALL,
        sections=shown,
        notes=table.notes,
        notes_at=next((one["id"] for one in shown if one["rows"]), ""),
        signs=wording.SIGNS,
        warnings=health.warnings(results),
        latents=_latents(results),
        sources=sources(results),
        sources_introduction=introduction(results),
        facts=evaluation_facts(results),
        command=results.command,
        made=wording.how_made(results),
        version=results.version,
        style=Markup(colour_rules() + (TEMPLATES / "report.css").read_text(encoding="utf-8")),
    )


def _breakable(label: str) -> Markup:
    """A label whose line may break after the marks between a latent's options, and not inside their words.

    >>> _breakable("matrix-normal:covariance=full")
    Markup('matrix-normal:<wbr>covariance=<wbr>full')
    """
    from markupsafe import Markup, escape

    return Markup(re.sub("([:,=])", r"\1<wbr>", str(escape(label))))


def _sections(results: Results, table: ResultTable) -> list[dict[str, Any]]:
    """What the template writes of each section, those of results only with something in them."""
    shown = []
    for section in SECTIONS:
        inside = {
            "rows": section_rows(section, table),
            "note": section.note(results) if section.note else "",
            "health": _health(results) if section.panels else {"figures": [], "alarms": []},
            "plot": _both_shapes(section.plot, results) if section.plot else [],
            "caption": section.plot.caption(results) if section.plot else "",
        }
        filled = inside["rows"] or inside["plot"] or any(inside["health"].values())
        if section.kind != "results" or filled:
            shown.append({"id": section.id, "title": section.title, "kind": section.kind, **inside})
    return shown


def _both_shapes(plot: Plot, results: Results) -> list[Markup]:
    """A plot for a wide page and for a narrow one, of which the style shows one."""
    from markupsafe import Markup

    shapes = (("wide", False), ("narrow", True))
    drawn = (plot.draw(results, narrow=narrow, attributes=f'class="{name}"') for name, narrow in shapes)
    return [Markup(svg) for svg in drawn if svg]


def _health(results: Results) -> dict[str, list[dict[str, object]]]:
    """The heat maps and strips of every figure, and the alarms, each with its model."""
    from markupsafe import Markup

    names = labels(results)
    figures: list[dict[str, object]] = [
        {
            "title": figure.title,
            "caption": figure.caption,
            "legend": Markup(panel_svg(figure.legend)) if figure.legend else None,
            "panels": [
                {
                    "label": names[shown.model],
                    "colour": colour_variable(shown.model),
                    "drawn": Markup(panel_svg(shown.panel)),
                    "note": shown.note,
                }
                for shown in figure.panels
            ],
        }
        for figure in health.health_figures(results)
    ]
    raised: list[dict[str, object]] = [
        {"label": names[model], "colour": colour_variable(model), "text": text}
        for model, text in health.alarms(results)
    ]
    return {"figures": figures, "alarms": raised}


def _figures(folder: Path, results: Results) -> list[dict[str, object]]:
    """Every figure of images with its rows as data URIs; where only the labelled picture exists, that one."""
    paths = results.figures
    figures = []
    for figure in picture_figures(results, paths):
        rows = [
            {"label": row.label, "alt": row.alt, "colour": _colour(row.model), **_embedded(folder, paths[row.id])}
            for row in figure.rows
            if row.id in paths
        ]
        whole = None if rows else {"alt": figure.caption, **_embedded(folder, paths[figure.id])}
        figures.append(
            {"id": figure.id, "title": figure.title, "caption": figure.caption, "rows": rows, "whole": whole}
        )
    return figures


def _colour(model: int | None) -> str:
    return "" if model is None else colour_variable(model)


def _embedded(folder: Path, relative: str) -> dict[str, object]:
    """A picture inside `folder` as a data URI, with its size so that the page does not jump."""
    from PIL import Image

    path = folder / relative
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"comparison.json: the figure {relative!r} lies outside {folder}: draw it again with `spatialvae compare`."
        )
    try:
        with Image.open(path) as picture:
            width, height = picture.size
        content = path.read_bytes()
    except OSError:
        raise UserError(f"The figure {path} cannot be read: draw it again with `spatialvae compare`.") from None
    return {"uri": f"data:image/png;base64,{base64.b64encode(content).decode()}", "width": width, "height": height}


def _latents(results: Results) -> list[dict[str, str]]:
    """What each latent is, with its colour."""
    return [
        {
            "label": label,
            "colour": colour_variable(index),
            "spec": model.spec or label,
            "description": model.description,
            "equation": model.equation,
        }
        for index, (label, model) in enumerate(zip(labels(results), results.models, strict=True))
    ]
