"""Heat maps as SVG: a cell a number, the number written into it where there is room."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from spatialvae.report.plots.panel import LETTERS, Panel
from spatialvae.report.plots.shades import ink_on

__all__ = ["colour_bar", "heat_map"]

SIDE, MOST_CELL = 166, 44  # pixels of the longer side at most, and of a cell: two fit on a phone, five on a page
WRITTEN = 8  # numbers are written into maps of at most so many rows and columns

Rows = Sequence[Sequence[float]]


def heat_map(
    values: Rows,
    shade: Callable[[float], str],
    spell: Callable[[float], str],
    label: str,
    *,
    beside: Sequence[str] = (),
    above: Sequence[str] = (),
) -> Panel:
    """A grid of cells, row 0 on top as in the image.

    Args:
        values: [rows][columns].
        shade: the colour of a value, #rrggbb.
        spell: how a value is written.
        label: what the map shows; the values of a map with numbers are added to it.
        beside: a word for each row, or none.
        above: a word for each column, or none.
    """
    rows, columns = len(values), len(values[0])
    cell = min(MOST_CELL, SIDE / max(rows, columns))
    written = max(rows, columns) <= WRITTEN
    left = 6 + 0.6 * LETTERS * max(map(len, beside)) if beside else 0
    top = LETTERS + 7 if above else 0
    cells = "".join(_numbered(values, shade, spell, cell)) if written else _plain(values, shade, cell)
    words = [
        f'<text x="{left - 6:.1f}" y="{top + (row + 0.5) * cell + 4:.1f}" text-anchor="end">{word}</text>'
        for row, word in enumerate(beside)
    ]
    words += [
        f'<text x="{left + (column + 0.5) * cell:.1f}" y="{LETTERS}" text-anchor="middle">{word}</text>'
        for column, word in enumerate(above)
    ]
    content = f'<g transform="translate({left:.1f} {top})">{cells}</g>{"".join(words)}'
    return Panel(content, left + columns * cell, top + rows * cell, _in_words(values, spell, label, written))


def colour_bar(shade: Callable[[float], str], low: float, high: float, spell: Callable[[float], str]) -> Panel:
    """The colours from low to high with the numbers at both ends; no label, since the maps say their numbers."""
    count, step, height = 30, 6, 14
    ends = spell(low), spell(high)
    left = 0.62 * LETTERS * len(ends[0]) + 8
    parts = [
        f'<rect x="{left + index * step:.1f}" width="{step + 0.5}" height="{height}" '
        f'fill="{shade(low + (high - low) * index / (count - 1))}"/>'
        for index in range(count)
    ]
    right = left + count * step + 8
    parts.append(f'<text x="0" y="11.5">{ends[0]}</text><text x="{right:.1f}" y="11.5">{ends[1]}</text>')
    return Panel(
        "".join(parts),
        right + 0.62 * LETTERS * len(ends[1]),
        height,
        f"colours from {ends[0]} to {ends[1]}",
    )


def _numbered(values: Rows, shade: Callable[[float], str], spell: Callable[[float], str], cell: float) -> list[str]:
    """A square and its number for each cell, the number in the ink that stands out."""
    longest = max(len(spell(value)) for row in values for value in row)
    size = min(13.0, 0.42 * cell, 1.55 * cell / longest)
    parts = []
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            colour = shade(value)
            x, y = column * cell, row * cell
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{cell - 1:.1f}" height="{cell - 1:.1f}" fill="{colour}"/>'
                f'<text x="{x + cell / 2:.1f}" y="{y + cell / 2 + 0.36 * size:.1f}" text-anchor="middle" '
                f'font-size="{size:.1f}" style="fill:{ink_on(colour)}">{spell(value)}</text>'
            )
    return parts


def _plain(values: Rows, shade: Callable[[float], str], cell: float) -> str:
    """Cells without numbers, those of one colour as one path: small however large the map."""
    by_colour: dict[str, list[str]] = {}
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            by_colour.setdefault(shade(value), []).append(f"M{column} {row}h1v1h-1z")
    paths = "".join(f'<path fill="{colour}" d="{"".join(squares)}"/>' for colour, squares in by_colour.items())
    return f'<g transform="scale({cell:.3f})" shape-rendering="crispEdges">{paths}</g>'


def _in_words(values: Rows, spell: Callable[[float], str], label: str, written: bool) -> str:
    if written:
        rows = (f"row {index + 1}: {', '.join(spell(value) for value in row)}" for index, row in enumerate(values))
        return f"{label}; {'; '.join(rows)}"
    flat = [value for row in values for value in row]
    return f"{label}; {len(values)} × {len(values[0])} values from {spell(min(flat))} to {spell(max(flat))}"
