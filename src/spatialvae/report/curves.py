"""Learning curves as SVG: the validation bound against images seen, in colours that follow a light or dark page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Any

from spatialvae.report.models import colour_rules, colour_variable, labels
from spatialvae.report.spelling import finite, short

__all__ = ["CAPTION", "TITLE", "curves_file", "curves_svg"]

TITLE = "Validation bound while training"
CAPTION = (
    "The bound on the validation images against how many training images the model has seen. With several seeds a thin "
    "line is one seed and the thick line their mean. The first fifth of the training may lie below the frame."
)
FONT = 13
WIDE, NARROW = (860, 400), (380, 330)

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Frame:
    """The rectangle of the plot in pixels and the range of values it shows."""

    left: float
    top: float
    width: float
    height: float
    images: tuple[float, float]
    bound: tuple[float, float]

    def place(self, point: tuple[float, float]) -> tuple[float, float]:
        """Pixels of (images seen, bound), from the frame's own corner."""
        across = (point[0] - self.images[0]) / (self.images[1] - self.images[0])
        up = (point[1] - self.bound[0]) / (self.bound[1] - self.bound[0])
        return across * self.width, (1 - up) * self.height


def curves_svg(comparison: dict[str, Any], *, narrow: bool = False, attributes: str = "") -> str | None:
    """The curves as an `<svg>` element that takes its colours from the page; None where no run has a curve.

    Args:
        narrow: the shape for a phone, with letters of the same size.
        attributes: more attributes of the element, already escaped.
    """
    curves = [_of_model(model) for model in comparison["models"]]
    points = [point for model in curves for seed in model for point in seed]
    if not points:
        return None
    width, height = NARROW if narrow else WIDE
    legend, legend_height = _legend(labels(comparison), width)
    frame = _frame(points, width, height + legend_height, legend_height + 36)
    lines = "".join(_lines(model, index, frame) for index, model in enumerate(curves))
    # A nested svg clips what leaves the frame.
    plot = f'<svg x="{frame.left}" y="{frame.top}" width="{frame.width}" height="{frame.height}">{lines}</svg>'
    alt = escape(f"{TITLE}: a line for each of {', '.join(labels(comparison))}")
    return (
        f'<svg {attributes} viewBox="0 0 {width} {height + legend_height}" role="img" aria-label="{alt}" '
        f'font-size="{FONT}" style="fill:var(--muted)">{legend}{_axes(frame, narrow)}{plot}</svg>'
    )


def curves_file(comparison: dict[str, Any]) -> str | None:
    """The curves as a file of their own, with their colours and background; None where no run has a curve."""
    drawn = curves_svg(comparison, attributes='xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif"')
    if drawn is None:
        return None
    start = drawn.index(">") + 1
    background = '<rect width="100%" height="100%" style="fill:var(--page)"/>'
    return f"{drawn[:start]}<style>{colour_rules()}</style>{background}{drawn[start:]}\n"


def _of_model(model: dict[str, Any]) -> list[Points]:
    """The curve of each seed that has one, numbers only."""
    seeds = []
    for run in model.get("runs") or []:
        pairs = [(finite(row.get("images")), finite(row.get("validation_bound"))) for row in run.get("curve") or []]
        seeds.append(sorted((images, bound) for images, bound in pairs if images is not None and bound is not None))
    return [seed for seed in seeds if seed]


def _mean(seeds: list[Points]) -> Points:
    """The mean over seeds where all of them have a value."""
    by_seed = [dict(seed) for seed in seeds]
    common = sorted(set.intersection(*(set(values) for values in by_seed)))
    return [(images, sum(values[images] for values in by_seed) / len(by_seed)) for images in common]


def _frame(points: Points, width: float, height: float, top: float) -> Frame:
    """The range of the axes: all images, and the bounds after the first fifth, where the models differ least."""
    last = max(images for images, _ in points)
    late = [bound for images, bound in points if images >= last / 5] or [bound for _, bound in points]
    margin = 0.06 * (max(late) - min(late)) or 1.0
    bounds = (min(late) - margin, max(late) + margin)
    right, bottom = 16, 48
    left = 18 + 0.6 * FONT * max(len(_plain(value)) for value in _ticks(*bounds, 7))
    return Frame(left, top, width - left - right, height - top - bottom, (0, last or 1), bounds)


def _lines(seeds: list[Points], model: int, frame: Frame) -> str:
    """The lines of one model: seeds thin, their mean thick."""
    colour = colour_variable(model)
    several = len(seeds) > 1
    drawn = [(seed, 1.2 if several else 2.4, 0.5 if several else 1.0) for seed in seeds]
    if several:
        drawn.append((_mean(seeds), 2.6, 1.0))
    return "".join(_line(points, colour, thick, opacity, frame) for points, thick, opacity in drawn if points)


def _line(points: Points, colour: str, thick: float, opacity: float, frame: Frame) -> str:
    placed = [frame.place(point) for point in points]
    if len(placed) == 1:
        return f'<circle cx="{placed[0][0]:.1f}" cy="{placed[0][1]:.1f}" r="{thick + 1}" style="fill:{colour}"/>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    return (
        f'<polyline points="{path}" stroke-width="{thick}" opacity="{opacity}" stroke-linejoin="round" '
        f'style="fill:none;stroke:{colour}"/>'
    )


def _axes(frame: Frame, narrow: bool) -> str:
    """Grid lines with their numbers, and what the axes are."""
    parts = []
    bottom, right = frame.top + frame.height, frame.left + frame.width
    for value in _ticks(*frame.bound, 7):
        y = frame.top + frame.place((0, value))[1]
        parts.append(f'<path d="M{frame.left} {y:.1f}H{right}" style="stroke:var(--line)"/>')
        parts.append(f'<text x="{frame.left - 8}" y="{y + 4.5:.1f}" text-anchor="end">{_plain(value)}</text>')
    for value in _ticks(*frame.images, 3 if narrow else 6):
        x = frame.left + frame.place((value, frame.bound[0]))[0]
        anchor = "end" if x > right - 12 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{bottom + 19}" text-anchor="{anchor}">{short(value)}</text>')
    parts.append(f'<path d="M{frame.left} {bottom}H{right}" style="stroke:var(--muted)"/>')
    parts.append(f'<text x="{right}" y="{bottom + 40}" text-anchor="end">images seen</text>')
    parts.append(f'<text x="16" y="{frame.top - 14}">bound, nats per image</text>')
    return "".join(parts)


def _plain(value: float) -> str:
    return f"{value:,.6g}".replace("-", "−")


def _ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers from low to high, about so many.

    >>> _ticks(0, 30000, 4)
    [0.0, 10000.0, 20000.0, 30000.0]
    """
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _legend(names: list[str], width: float) -> tuple[str, float]:
    """A line and a name for each model, in as many rows as they need; and the height of the whole."""
    parts, x, y = [], 16.0, 16.0
    for index, name in enumerate(names):
        needs = 34 + 0.62 * FONT * len(name) + 18
        if x > 16 and x + needs > width:
            x, y = 16.0, y + 22
        parts.append(
            f'<path d="M{x:.0f} {y}h24" stroke-width="3" style="stroke:{colour_variable(index)}"/>'
            f'<text x="{x + 32:.0f}" y="{y + 4.5}" style="fill:var(--ink)">{escape(name)}</text>'
        )
        x += needs
    return "".join(parts), y + 10
