"""report.html: the comparison as one file that asks nothing of any network."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from spatialvae.errors import UserError
from spatialvae.report import curves, wording
from spatialvae.report.layout import CURVES, picture_figures
from spatialvae.report.models import colour_rules, colour_variable, labels
from spatialvae.report.table import ResultTable, Row, result_table

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
    data, table = comparison.get("data") or {}, result_table(comparison)
    wide, narrow = (
        curves.curves_svg(comparison, narrow=narrow, attributes=f'class="{name}"')
        for name, narrow in (("wide", False), ("narrow", True))
    )
    return environment.get_template("report.html.j2").render(
        headline=wording.headline(comparison),
        introduction=wording.introduction(comparison),
        verdict=wording.verdict(table),
        note=wording.objective_note(comparison),
        figures=_figures(folder, comparison),
        pixelated=max(data.get("height") or 0, data.get("width") or 0) < SMALL,
        table=table,
        groups=_groups(table),
        meanings=wording.meanings(table),
        curves=[Markup(drawn) for drawn in (wide, narrow) if drawn],
        curves_caption=curves.CAPTION,
        latents=_latents(comparison),
        command=str(comparison.get("command", "")),
        made=wording.how_made(comparison),
        version=str(comparison.get("version", "")),
        style=Markup(colour_rules() + (TEMPLATES / "report.css").read_text(encoding="utf-8")),
    )


def _figures(folder: Path, comparison: dict[str, Any]) -> list[dict[str, Any]]:
    """Every figure with its rows as data URIs; where only the labelled picture exists, that one."""
    paths = {name: path for name, path in (comparison.get("figures") or {}).items() if name != CURVES}
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


def _groups(table: ResultTable) -> list[list[Row]]:
    """The rows of the table, those of a group together."""
    groups: list[list[Row]] = []
    for row in table.rows:
        if not groups or groups[-1][-1].group != row.group:
            groups.append([])
        groups[-1].append(row)
    return groups


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
