"""What the plots share: axes with round ticks, a legend, and colours that follow a light or dark page, as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape

from spatialvae.report.models import colour_rules, colour_variable

__all__ = ["Axis", "Frame", "Points", "line", "mean_line", "plain", "plot", "svg_file", "widened"]

FONT = 13
WIDE, NARROW = (860, 400), (380, 330)

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """What an axis shows: its words, its range, and how a number at it is written."""

    title: str
    low: float
    high: float
    spell: Callable[[float], str]


@dataclass(frozen=True)
class Frame:
    """The rectangle of the plot in pixels and the axes it shows."""

    left: float
    top: float
    width: float
    height: float
    x: Axis
    y: Axis

    def place(self, point: tuple[float, float]) -> tuple[float, float]:
        """Pixels of (x, y), from the frame's own corner."""
        across = (point[0] - self.x.low) / (self.x.high - self.x.low)
        up = (point[1] - self.y.low) / (self.y.high - self.y.low)
        return across * self.width, (1 - up) * self.height


def plot(
    x: Axis,
    y: Axis,
    names: list[str],
    marks: Callable[[Frame], str],
    *,
    label: str,
    narrow: bool = False,
    attributes: str = "",
) -> str:
    """An `<svg>` element: a legend of `names` in the models' colours, the axes, and what `marks` draws in the frame.

    Args:
        label: what the picture shows, for those who cannot see it.
        narrow: the shape for a phone, with letters of the same size.
        attributes: more attributes of the element, already escaped.
    """
    width, height = NARROW if narrow else WIDE
    legend, legend_height = _legend(names, width)
    right, bottom, top = 16, 48, legend_height + 36
    left = 18 + 0.6 * FONT * max((len(y.spell(value)) for value in ticks(y.low, y.high, 7)), default=1)
    frame = Frame(left, top, width - left - right, height + legend_height - top - bottom, x, y)
    # A nested svg clips what leaves the frame.
    inside = f'<svg x="{left}" y="{top}" width="{frame.width}" height="{frame.height}">{marks(frame)}</svg>'
    return (
        f'<svg {attributes} viewBox="0 0 {width} {height + legend_height}" role="img" aria-label="{escape(label)}" '
        f'font-size="{FONT}" style="fill:var(--muted)">{legend}{_axes(frame, narrow)}{inside}</svg>'
    )


def svg_file(drawn: str) -> str:
    """A picture made for a page as a file of its own: with namespace, letters, colours and background."""
    start = drawn.index(">") + 1
    opening = drawn[:start].replace(
        "<svg", '<svg xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif"', 1
    )
    background = '<rect width="100%" height="100%" style="fill:var(--page)"/>'
    return f"{opening}<style>{colour_rules()}</style>{background}{drawn[start:]}\n"


def line(points: Points, colour: str, thick: float, opacity: float, frame: Frame) -> str:
    """A line through points, or a dot for a single one."""
    placed = [frame.place(point) for point in points]
    if len(placed) == 1:
        return f'<circle cx="{placed[0][0]:.1f}" cy="{placed[0][1]:.1f}" r="{thick + 1}" style="fill:{colour}"/>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    return (
        f'<polyline points="{path}" stroke-width="{thick}" opacity="{opacity}" stroke-linejoin="round" '
        f'style="fill:none;stroke:{colour}"/>'
    )


def mean_line(seeds: list[Points]) -> Points:
    """The mean over seeds where all of them have a value.

    >>> mean_line([[(1, 2.0), (2, 3.0)], [(1, 4.0)]])
    [(1, 3.0)]
    """
    by_seed = [dict(seed) for seed in seeds]
    common = sorted(set.intersection(*(set(values) for values in by_seed)))
    return [(x, sum(values[x] for values in by_seed) / len(by_seed)) for x in common]


def widened(values: Iterable[float], share: float) -> tuple[float, float]:
    """The range of values with a margin of so much of it, never empty.

    >>> widened([0, 10], 0.1), widened([5], 0.1)
    ((-1.0, 11.0), (4.0, 6.0))
    """
    low, high = min(values := list(values)), max(values)
    margin = share * (high - low) or 1.0
    return low - margin, high + margin


def plain(value: float) -> str:
    """A number at an axis.

    >>> plain(-1500.0)
    '−1,500'
    """
    return f"{value:,.6g}".replace("-", "−")


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers from low to high, about so many.

    >>> ticks(0, 30000, 4)
    [0.0, 10000.0, 20000.0, 30000.0]
    """
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _axes(frame: Frame, narrow: bool) -> str:
    """Grid lines with their numbers, and what the axes are."""
    parts = []
    bottom, right = frame.top + frame.height, frame.left + frame.width
    for value in ticks(frame.y.low, frame.y.high, 7):
        y = frame.top + frame.place((frame.x.low, value))[1]
        parts.append(f'<path d="M{frame.left} {y:.1f}H{right}" style="stroke:var(--line)"/>')
        parts.append(f'<text x="{frame.left - 8}" y="{y + 4.5:.1f}" text-anchor="end">{frame.y.spell(value)}</text>')
    for value in ticks(frame.x.low, frame.x.high, 4 if narrow else 6):
        x = frame.left + frame.place((value, frame.y.low))[0]
        anchor = "end" if x > right - 12 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{bottom + 19}" text-anchor="{anchor}">{frame.x.spell(value)}</text>')
    parts.append(f'<path d="M{frame.left} {bottom}H{right}" style="stroke:var(--muted)"/>')
    parts.append(f'<text x="{right}" y="{bottom + 40}" text-anchor="end">{escape(frame.x.title)}</text>')
    parts.append(f'<text x="16" y="{frame.top - 14}">{escape(frame.y.title)}</text>')
    return "".join(parts)


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
