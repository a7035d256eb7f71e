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
from spatialvae.report.pages.sources import INTRODUCTION, evaluation_facts, sources
from spatialvae.report.plots import curves, health, rate_distortion
from spatialvae.report.plots.panel import panel_svg
from spatialvae.report.tables.sections import sections
from spatialvae.report.tables.table import cost_note, result_table

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["html_report"]

TEMPLATES = Path(__file__).parent / "templates"
SMALL = 64  # the sides of images whose pixels are shown as squares


def html_report(folder: Path, comparison: dict[str, Any]) -> str:
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
    data, table = comparison.get("data") or {}, result_table(comparison)
    found = sections(table)
    return environment.get_template("report.html.j2").render(
        headline=wording.headline(comparison),
        introduction=wording.introduction(comparison),
        verdict=wording.verdict(comparison, table),
        note=wording.objective_note(comparison),
        figures=_figures(folder, comparison),
        pixelated=max(data.get("height") or 0, data.get("width") or 0) < SMALL,
        sections=found,
        notes=table.notes,
        notes_at=next(iter(found), ""),
        cost_note=cost_note(comparison),
        signs=wording.SIGNS,
        warnings=[str(warning) for warning in comparison.get("warnings") or []],
        health=_health(comparison),
        rate_distortion=_both_shapes(rate_distortion.rate_distortion_svg, comparison),
        rate_distortion_caption=rate_distortion.caption(comparison),
        curves=_both_shapes(curves.curves_svg, comparison),
        curves_caption=curves.caption(comparison),
        latents=_latents(comparison),
        sources=sources(comparison),
        sources_introduction=INTRODUCTION,
        facts=evaluation_facts(comparison),
        command=str(comparison.get("command", "")),
        made=wording.how_made(comparison),
        version=str(comparison.get("version", "")),
        style=Markup(colour_rules() + (TEMPLATES / "report.css").read_text(encoding="utf-8")),
    )


def _breakable(label: str) -> Markup:
    """A label whose line may break after the marks between a latent's options, and not inside their words.

    >>> _breakable("matrix-normal:covariance=full")
    Markup('matrix-normal:<wbr>covariance=<wbr>full')
    """
    from markupsafe import Markup, escape

    return Markup(re.sub("([:,=])", r"\1<wbr>", str(escape(label))))


def _both_shapes(draw: Any, comparison: dict[str, Any]) -> list[Markup]:
    """A plot for a wide page and for a narrow one, of which the style shows one."""
    from markupsafe import Markup

    shapes = (("wide", False), ("narrow", True))
    drawn = (draw(comparison, narrow=narrow, attributes=f'class="{name}"') for name, narrow in shapes)
    return [Markup(svg) for svg in drawn if svg]


def _health(comparison: dict[str, Any]) -> dict[str, Any]:
    """The heat maps and strips of every figure, and the alarms, each with its model."""
    from markupsafe import Markup

    names = labels(comparison)
    figures = [
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
        for figure in health.health_figures(comparison)
    ]
    told = [
        {"label": names[model], "colour": colour_variable(model), "text": text}
        for model, text in health.alarms(comparison)
    ]
    return {"figures": figures, "alarms": told}


def _figures(folder: Path, comparison: dict[str, Any]) -> list[dict[str, Any]]:
    """Every figure of images with its rows as data URIs; where only the labelled picture exists, that one."""
    paths = comparison.get("figures") or {}
    figures = []
    for figure in picture_figures(comparison, paths):
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


def _embedded(folder: Path, relative: str) -> dict[str, Any]:
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


def _latents(comparison: dict[str, Any]) -> list[dict[str, str]]:
    """What each latent is, with its colour."""
    return [
        {
            "label": label,
            "colour": colour_variable(index),
            "spec": str(model.get("spec") or label),
            "law": str(model.get("law") or ""),
            "equation": str(model.get("equation") or ""),
        }
        for index, (label, model) in enumerate(zip(labels(comparison), comparison["models"], strict=True))
    ]
