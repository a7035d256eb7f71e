"""The colours of heat maps, the same on a light and a dark page, and letters that are readable on them."""

from __future__ import annotations

__all__ = ["diverging", "ink_on", "sequential"]

# Lightness rises steadily from the first to the last, so that the order is seen without colour vision too.
AMOUNT = ("#1c2445", "#23527c", "#2b8286", "#6bb077", "#d3d465", "#fdf3b0")
SIGNED = ("#1f5fa8", "#7fb0d8", "#f2f1ee", "#e09a72", "#a8401c")
STEPS = 60
"""Colours are rounded to so many steps, the ones above among them: cells of one colour are then drawn together."""


def sequential(share: float) -> str:
    """The colour of an amount, 0 to 1 of the largest.

    >>> sequential(0), sequential(1)
    ('#1c2445', '#fdf3b0')
    """
    return _between(AMOUNT, share)


def diverging(value: float) -> str:
    """The colour of a signed amount, -1 to 1; 0 is a pale grey.

    >>> diverging(-1), diverging(0), diverging(1)
    ('#1f5fa8', '#f2f1ee', '#a8401c')
    """
    return _between(SIGNED, (value + 1) / 2)


def ink_on(colour: str) -> str:
    """Black or white, whichever stands out more from a colour: at least 4.5 to 1, by WCAG's contrast ratio.

    >>> ink_on("#1c2445"), ink_on("#fdf3b0")
    ('#ffffff', '#000000')
    """
    # The two contrasts, 1.05 / (L + 0.05) and (L + 0.05) / 0.05, are equal at L = sqrt(1.05 * 0.05) - 0.05.
    return "#000000" if luminance(colour) > 0.1791 else "#ffffff"


def luminance(colour: str) -> float:
    """WCAG's relative luminance of #rrggbb, 0 to 1."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _between(stops: tuple[str, ...], share: float) -> str:
    place = round(min(max(share, 0.0), 1.0) * STEPS) / STEPS * (len(stops) - 1)
    index = min(int(place), len(stops) - 2)
    mixed = []
    for start in (1, 3, 5):
        low, high = (int(stop[start : start + 2], 16) for stop in stops[index : index + 2])
        mixed.append(round(low + (high - low) * (place - index)))
    return "#" + "".join(f"{part:02x}" for part in mixed)
