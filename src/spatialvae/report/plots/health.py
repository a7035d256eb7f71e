"""Latent health in pictures: where in the maps the KL is, how many maps hold it, how the sites hang together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from spatialvae.errors import with_flags
from spatialvae.metrics.latent.summary import LatentHealth
from spatialvae.report.models import colour_variable, labels
from spatialvae.report.plots.bars import bar_strip
from spatialvae.report.plots.heatmaps import colour_bar, heat_map
from spatialvae.report.plots.panel import LETTERS, Panel, panel_svg
from spatialvae.report.plots.shades import diverging, sequential
from spatialvae.report.spelling import alike, amount, finite
from spatialvae.results import Results

__all__ = [
    "INFORMATIVE",
    "TITLE",
    "HealthFigure",
    "ModelPanel",
    "alarms",
    "health_figures",
    "health_svg",
    "informative",
    "warnings",
]

TITLE = "Latent health"
INFORMATIVE = 0.1
"""Nats a map and image, above which a map carries information."""
MOST_SITES = 64  # a matrix of more sites than this is shown by its row of the middle site

Matrix = Sequence[Sequence[float]]


@dataclass(frozen=True)
class ModelPanel:
    """The picture of one model, and the words under it."""

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


def health_figures(results: Results) -> list[HealthFigure]:
    """The figures that some model has numbers for; none where no model has been looked into."""
    figures = (_sites(results), _maps(results), _scales(results), _correlation(results))
    return [figure for figure in figures if figure.panels]


def alarms(results: Results) -> list[tuple[int, str]]:
    """What is wrong with a latent, a sentence each, with the index of its model."""
    return [
        (index, with_flags(alarm))
        for index, model in enumerate(results.models)
        for alarm in (model.health.alarms if model.health else ())
    ]


def warnings(results: Results) -> list[str]:
    """What to beware of in the numbers, a sentence each; settings by their flags, as the report shows commands."""
    return [with_flags(warning) for warning in results.warnings]


def informative(kl_per_map: Sequence[float]) -> tuple[int, int]:
    """How many maps have more than INFORMATIVE nats, and of how many.

    >>> informative([3.0, 0.2, 0.0])
    (2, 3)
    """
    return sum(value > INFORMATIVE for value in kl_per_map), len(kl_per_map)


def health_svg(results: Results) -> str | None:
    """All figures under each other as one `<svg>` element; None where there are none."""
    figures, names = health_figures(results), labels(results)
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


def _sites(results: Results) -> HealthFigure:
    """KL per site, on one scale of colours from 0."""
    grids = {index: health.kl_per_site for index, health in _looked_into(results) if _is_whole(health.kl_per_site)}
    title = "KL per site"
    caption = (
        "Nats an image at each site of the maps, summed over the maps, row 1 on top; colours from 0 to the largest of "
        "all models."
    )
    return _heat_maps(results, grids, title, caption, {})


def _scales(results: Results) -> HealthFigure:
    """The posterior's scale at each site as total times row times column, where q(z|x) is such a product."""
    grids: dict[int, Matrix] = {}
    beside: dict[int, tuple[list[str], list[str], float]] = {}
    for index, health in _looked_into(results):
        row, column, total = health.row_scale, health.column_scale, health.total_scale
        if row and column and total is not None and _is_whole([row, column, [total]]):
            grids[index] = [[total * across * down for across in column] for down in row]
            beside[index] = ([f"{value:.2f}" for value in row], [f"{value:.2f}" for value in column], total)
    caption = (
        "Standard deviation of q(z|x) by site = total × row scale (left) × column scale (above), geometric means over "
        "maps and images. Only the product is a property of the distribution, so the scales of a side are normalised "
        "to geometric mean 1."
    )
    return _heat_maps(results, grids, "Row and column scales", caption, beside)


def _heat_maps(
    results: Results,
    grids: Mapping[int, Matrix],
    title: str,
    caption: str,
    beside: dict[int, tuple[list[str], list[str], float]],
) -> HealthFigure:
    """Maps of amounts, those of more than one site on one scale; a single site is a number and has none."""
    several = {index for index, values in grids.items() if len(values) * len(values[0]) > 1}
    numbers = [value for index in several for row in grids[index] for value in row]
    high, spell = max(numbers, default=0.0) or 1.0, alike(numbers)
    panels = []
    for index, values in grids.items():
        name, (rows, columns, total) = labels(results)[index], beside.get(index, ([], [], None))
        single = index not in several
        label = f"{title} of {name}"
        shade: Callable[[float], str] = (lambda _: "#8b9099") if single else (lambda value: sequential(value / high))
        written = amount if single else spell
        panel = heat_map(values, shade, written, label, beside=[] if single else rows, above=[] if single else columns)
        note = "" if total is None else f"total {amount(total)}"
        panels.append(ModelPanel(index, panel, "one site: not on the scale" if single else note))
    legend = colour_bar(lambda value: sequential(value / high), 0.0, high, amount) if several else None
    return HealthFigure(title, caption, tuple(panels), legend)


def _maps(results: Results) -> HealthFigure:
    """KL per map, sorted."""
    panels = []
    for index, health in _looked_into(results):
        values = health.kl_per_map
        if not values or not _is_whole([values]):
            continue
        label = f"KL per map of {labels(results)[index]}, nats"
        strip = bar_strip(values, colour_variable(index), lambda value: f"{amount(value)} nats", label, "maps")
        many, maps = informative(values)
        panels.append(ModelPanel(index, strip, f"{many:,} of {maps:,} above {INFORMATIVE:g} nats"))
    caption = (
        "Nats an image in each map, the largest first; heights count from 0 to the largest of that model. A map "
        "without KL tells the decoder nothing."
    )
    return HealthFigure("KL per map", caption, tuple(panels))


def _correlation(results: Results) -> HealthFigure:
    """How codes of different sites vary together over images."""
    panels = []
    for index, health in _looked_into(results):
        values: Matrix | None = health.aggregate.site_correlation
        if values is None or len(values) < 2 or not _is_whole(values):
            continue
        note = ""
        label = f"Correlation between sites of {labels(results)[index]}"
        if len(values) > MOST_SITES:
            values, note = _middle(values, health.kl_per_site), "with the middle site"
            label += " with the middle site"
        panels.append(ModelPanel(index, heat_map(values, diverging, signed, label), note))
    caption = (
        "Correlation over images of the codes at two sites, mean over maps; a row and a column for each site, counted "
        "row by row from the top left. Codes drawn from N(0, I) have none off the diagonal."
    )
    return HealthFigure("Correlation between sites", caption, tuple(panels), colour_bar(diverging, -1.0, 1.0, signed))


def _middle(correlation: Matrix, sites: Matrix) -> Matrix:
    """The row of the middle site, shaped as the map."""
    height, width = len(sites), len(sites[0])
    row = correlation[height // 2 * width + width // 2]
    return [row[start : start + width] for start in range(0, len(row), width)]


def signed(value: float) -> str:
    """A correlation.

    >>> signed(-0.254), signed(0), signed(1)
    ('−0.25', '0', '1')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-0.00", "0").replace("-", "−") or "0"


def _looked_into(results: Results) -> Iterator[tuple[int, LatentHealth]]:
    """The health of each model that has one, with the model's index."""
    for index, model in enumerate(results.models):
        if model.health:
            yield index, model.health


def _is_whole(values: Matrix) -> bool:
    """Whether there are numbers, and all of them are finite."""
    return bool(values) and all(values) and all(finite(value) is not None for row in values for value in row)
