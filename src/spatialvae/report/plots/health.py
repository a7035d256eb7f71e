"""Latent health in pictures: where in the maps the KL is, how many maps hold it, how the sites hang together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from spatialvae.report.models import colour_variable, labels
from spatialvae.report.plots.bars import bar_strip
from spatialvae.report.plots.heatmaps import colour_bar, heat_map
from spatialvae.report.plots.panel import LETTERS, Panel, panel_svg
from spatialvae.report.plots.shades import diverging, sequential
from spatialvae.report.spelling import alike, amount, finite

__all__ = [
    "INFORMATIVE",
    "TITLE",
    "HealthFigure",
    "ModelPanel",
    "alarms",
    "health_figures",
    "health_svg",
    "informative",
]

TITLE = "Latent health"
INFORMATIVE = 0.1
"""Nats a map and image, above which a map is said to carry information."""
MOST_SITES = 64  # a matrix of more sites than this is shown by its row of the middle site

Matrix = list[list[float]]


@dataclass(frozen=True)
class ModelPanel:
    """The picture of one model, and what is said under it."""

    model: int
    panel: Panel
    note: str = ""


@dataclass(frozen=True)
class HealthFigure:
    """One quantity of all models that have it."""

    title: str
    caption: str
    panels: tuple[ModelPanel, ...]
    legend: Panel | None = None


def health_figures(comparison: dict[str, Any]) -> list[HealthFigure]:
    """The figures that some model has numbers for; none where no model has been looked into."""
    figures = (_sites(comparison), _maps(comparison), _scales(comparison), _correlation(comparison))
    return [figure for figure in figures if figure.panels]


def alarms(comparison: dict[str, Any]) -> list[tuple[int, str]]:
    """What is wrong with a latent, a sentence each, with the index of its model."""
    return [
        (index, str(alarm))
        for index, model in enumerate(comparison["models"])
        for alarm in (model.get("health") or {}).get("alarms") or []
    ]


def informative(health: dict[str, Any]) -> tuple[int, int] | None:
    """How many maps have more than INFORMATIVE nats, and of how many; None where it was not measured.

    >>> informative({"kl_per_map": [3.0, 0.2, 0.0]})
    (2, 3)
    """
    kl = _vector(health.get("kl_per_map"))
    return (sum(value > INFORMATIVE for value in kl), len(kl)) if kl else None


def health_svg(comparison: dict[str, Any]) -> str | None:
    """All figures under each other as one `<svg>` element; None where there are none."""
    figures, names = health_figures(comparison), labels(comparison)
    margin, gap, parts = 20.0, 28.0, []
    width, y = 640.0, margin
    for figure in figures:
        parts.append(
            f'<text x="{margin}" y="{y + 14}" font-size="15" font-weight="600" style="fill:var(--ink)">'
            f"{escape(figure.title)}</text>"
        )
        y += 24
        if figure.legend:
            parts.append(panel_svg(figure.legend, place=(margin, y + 2)))
            y += figure.legend.height + 8
        x, tallest = margin, 0.0
        for shown in figure.panels:
            name = names[shown.model]
            parts.append(
                f'<rect x="{x}" y="{y + 5}" width="10" height="10" style="fill:{colour_variable(shown.model)}"/>'
                f'<text x="{x + 16}" y="{y + 14.5}" style="fill:var(--ink)">{escape(name)}</text>'
                f"{panel_svg(shown.panel, place=(x, y + 24))}"
                f'<text x="{x}" y="{y + 24 + shown.panel.height + 18}">{escape(shown.note)}</text>'
            )
            words = LETTERS * 0.62 * max(len(name) + 2, len(shown.note))
            x += max(shown.panel.width, words) + gap
            tallest = max(tallest, shown.panel.height + (22 if shown.note else 0))
        width, y = max(width, x - gap + margin), y + 24 + tallest + 30
    if not figures:
        return None
    return (
        f'<svg viewBox="0 0 {width:.0f} {y:.0f}" width="{width:.0f}" height="{y:.0f}" role="img" '
        f'aria-label="{TITLE}: {escape("; ".join(figure.title for figure in figures))}" font-size="{LETTERS}" '
        f'style="fill:var(--muted)">{"".join(parts)}</svg>'
    )


def _sites(comparison: dict[str, Any]) -> HealthFigure:
    """KL per site, on one scale of colours from 0."""
    found = _found(comparison, lambda health: _matrix(health.get("kl_per_site")))
    title = "KL per site"
    caption = (
        "Nats an image at each site of the maps, summed over the maps, row 1 on top; colours from 0 to the largest of "
        "all models."
    )
    return _heat_maps(comparison, found, title, caption, {})


def _scales(comparison: dict[str, Any]) -> HealthFigure:
    """The posterior's scale at each site as total times row times column, where the law is such a product."""
    found, beside = {}, {}
    for index, health in _found(comparison, lambda health: health).items():
        row, column = _vector(health.get("row_scale")), _vector(health.get("column_scale"))
        total = finite(health.get("total_scale"))
        if row and column and total is not None:
            found[index] = [[total * across * down for across in column] for down in row]
            beside[index] = ([f"{value:.2f}" for value in row], [f"{value:.2f}" for value in column], total)
    caption = (
        "Standard deviation of q(z|x) by site = total × row scale (left) × column scale (above), geometric means over "
        "maps and images. Only the product is a property of the law, so the scales of a side are normalised to "
        "geometric mean 1."
    )
    return _heat_maps(comparison, found, "Row and column scales", caption, beside)


def _heat_maps(
    comparison: dict[str, Any],
    found: dict[int, Matrix],
    title: str,
    caption: str,
    beside: dict[int, tuple[list[str], list[str], float]],
) -> HealthFigure:
    """Maps of amounts, those of more than one site on one scale; a single site is a number and has none."""
    grids = {index: values for index, values in found.items() if len(values) * len(values[0]) > 1}
    numbers = [value for values in grids.values() for row in values for value in row]
    high, spell = max(numbers, default=0.0) or 1.0, alike(numbers)
    panels = []
    for index, values in found.items():
        name, (rows, columns, total) = labels(comparison)[index], beside.get(index, ([], [], None))
        single = index not in grids
        label = f"{title} of {name}"
        shade: Callable[[float], str] = (lambda _: "#8b9099") if single else (lambda value: sequential(value / high))
        written = amount if single else spell
        panel = heat_map(values, shade, written, label, beside=[] if single else rows, above=[] if single else columns)
        note = "" if total is None else f"total {amount(total)}"
        panels.append(ModelPanel(index, panel, "one site: not on the scale" if single else note))
    legend = colour_bar(lambda value: sequential(value / high), 0.0, high, amount) if grids else None
    return HealthFigure(title, caption, tuple(panels), legend)


def _maps(comparison: dict[str, Any]) -> HealthFigure:
    """KL per map, sorted."""
    panels = []
    for index, values in _found(comparison, lambda health: _vector(health.get("kl_per_map"))).items():
        label = f"KL per map of {labels(comparison)[index]}, nats"
        strip = bar_strip(values, colour_variable(index), lambda value: f"{amount(value)} nats", label, "maps")
        many = sum(value > INFORMATIVE for value in values)
        panels.append(ModelPanel(index, strip, f"{many:,} of {len(values):,} above {INFORMATIVE:g} nats"))
    caption = (
        "Nats an image in each map, the largest first; heights count from 0 to the largest of that model. A map "
        "without KL tells the decoder nothing."
    )
    return HealthFigure("KL per map", caption, tuple(panels))


def _correlation(comparison: dict[str, Any]) -> HealthFigure:
    """How codes of different sites vary together over images."""
    panels = []
    for index, health in _found(comparison, lambda health: health).items():
        values = _matrix((health.get("aggregate") or {}).get("site_correlation"))
        if values is None or len(values) < 2:
            continue
        note = ""
        label = f"Correlation between sites of {labels(comparison)[index]}"
        if len(values) > MOST_SITES:
            values, note = _middle(values, _matrix(health.get("kl_per_site"))), "with the middle site"
            label += " with the middle site"
        panels.append(ModelPanel(index, heat_map(values, diverging, signed, label), note))
    caption = (
        "Correlation over images of the codes at two sites, mean over maps; a row and a column for each site, counted "
        "row by row from the top left. Codes drawn from N(0, I) have none off the diagonal."
    )
    return HealthFigure("Correlation between sites", caption, tuple(panels), colour_bar(diverging, -1.0, 1.0, signed))


def _middle(correlation: Matrix, sites: Matrix | None) -> Matrix:
    """The row of the middle site, shaped as the map where its shape is known."""
    height, width = (len(sites), len(sites[0])) if sites else (1, len(correlation))
    row = correlation[height // 2 * width + width // 2]
    return [row[start : start + width] for start in range(0, len(row), width)]


def signed(value: float) -> str:
    """A correlation.

    >>> signed(-0.254), signed(0), signed(1)
    ('−0.25', '0', '1')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-0.00", "0").replace("-", "−") or "0"


def _found(comparison: dict[str, Any], part: Callable[[dict[str, Any]], Any]) -> dict[int, Any]:
    """What `part` finds in the health of each model, by the model's index; nothing left out but what is missing."""
    found = {index: part(model.get("health") or {}) for index, model in enumerate(comparison["models"])}
    return {index: value for index, value in found.items() if value}


def _vector(value: Any) -> list[float] | None:
    """Numbers, or None if there are none or one is missing."""
    numbers = [finite(number) for number in value] if isinstance(value, list) else []
    return [number for number in numbers if number is not None] if numbers and None not in numbers else None


def _matrix(value: Any) -> Matrix | None:
    """Rows of numbers of one length, or None."""
    rows = [_vector(row) for row in value] if isinstance(value, list) else []
    whole = [row for row in rows if row]
    return whole if whole and len(whole) == len(rows) and len({len(row) for row in whole}) == 1 else None
