"""Many numbers as one strip of bars, the largest first: how many of them are large."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from spatialvae.report.plots.panel import LETTERS, Panel

__all__ = ["bar_strip"]

WIDTH, HEIGHT = 166, 84
MOST = 332  # more bars than this are thinner than half a pixel: every k-th is drawn


def bar_strip(values: Sequence[float], colour: str, spell: Callable[[float], str], label: str, what: str) -> Panel:
    """The values sorted, from 0 to their largest; none of them is negative.

    Args:
        values: at least one.
        colour: CSS of the bars.
        spell: how a value is written.
        label: what is shown; the largest and the median are added to it.
        what: the name of the things counted, such as "maps".
    """
    ordered = sorted((max(value, 0.0) for value in values), reverse=True)
    largest, median = ordered[0], ordered[len(ordered) // 2]
    shown = ordered[:: math.ceil(len(ordered) / MOST)]
    top, step = LETTERS + 8, WIDTH / len(shown)
    gap = min(1.0, step / 4) if len(shown) <= WIDTH / 3 else 0.0
    parts = []
    for index, value in enumerate(shown):
        up = HEIGHT * value / largest if largest else 0.0
        if up >= 0.05:
            parts.append(f"M{index * step:.2f} {top + HEIGHT}v{-up:.1f}h{step - gap:.2f}v{up:.1f}z")
    bottom = top + HEIGHT
    content = (
        f'<path d="{"".join(parts)}" style="fill:{colour}"/>'
        f'<path d="M0 {bottom}.5H{WIDTH}" style="stroke:var(--muted)"/>'
        f'<text x="0" y="{LETTERS}">{spell(largest)}</text>'
        f'<text x="0" y="{bottom + LETTERS + 4}">1</text>'
        f'<text x="{WIDTH}" y="{bottom + LETTERS + 4}" text-anchor="end">{len(ordered):,} {what}</text>'
    )
    words = f"{label}; {len(ordered)} {what}, largest {spell(largest)}, median {spell(median)}"
    return Panel(content, WIDTH, bottom + LETTERS + 8, words)
