"""A small picture of a row of small pictures: one for each model, with words for those who cannot see it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

__all__ = ["LETTERS", "Panel", "panel_svg"]

LETTERS = 12
"""The size of letters in a panel, in pixels."""


@dataclass(frozen=True)
class Panel:
    """SVG elements on a canvas of so many pixels."""

    content: str
    width: float
    height: float
    label: str
    """What it shows, in words and numbers."""


def panel_svg(panel: Panel, *, place: tuple[float, float] | None = None) -> str:
    """The panel as an `<svg>` element: of its own for a page, or at a place inside another one.

    >>> panel_svg(Panel("", 20, 10, "nothing")).startswith('<svg class="panel" viewBox="0 0 20 10"')
    True
    """
    where = 'class="panel" ' if place is None else f'x="{place[0]:g}" y="{place[1]:g}" '
    return (
        f'<svg {where}viewBox="0 0 {panel.width:g} {panel.height:g}" width="{panel.width:g}" '
        f'height="{panel.height:g}" role="img" aria-label="{escape(panel.label)}" font-size="{LETTERS}" '
        f'style="fill:var(--muted)">{panel.content}</svg>'
    )
