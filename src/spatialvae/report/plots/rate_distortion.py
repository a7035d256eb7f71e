"""Rate against distortion: what a latent pays in nats of KL and gets in reconstruction, over the weights beta."""

from __future__ import annotations

from html import escape
from typing import Any

from spatialvae.report.models import colour_variable, labels
from spatialvae.report.pages.seeds import repeated
from spatialvae.report.plots.frame import FONT, Axis, Frame, Points, line, plain, plot, widened
from spatialvae.report.spelling import finite

__all__ = ["TITLE", "caption", "rate_distortion_svg"]

TITLE = "Rate and distortion"
LETTER = 0.58 * FONT  # the width of a letter, about

Box = tuple[float, float, float, float]


def caption(comparison: dict[str, Any]) -> str:
    """What the points are, and of how many trainings."""
    dots = (
        "A small dot is one seed and the large one their mean."
        if repeated(comparison)
        else "A point is one training: how far from it another would lie is not known."
    )
    return (
        "Distortion (minus the reconstruction term) against rate (the KL), nats per held-out image; a point for each "
        "weight β of the KL in training, joined per latent. Lower and further left is better: that latent tells the "
        f"decoder more with the same nats. {dots} The bound is minus the sum of both."
    )


def rate_distortion_svg(comparison: dict[str, Any], *, narrow: bool = False, attributes: str = "") -> str | None:
    """The plot as an `<svg>` element that takes its colours from the page; None with fewer than two betas."""
    entries = [entry for entry in comparison.get("rate_distortion") or [] if _point(entry)]
    if len({entry["beta"] for entry in entries}) < 2:
        return None
    seeds = [seed for entry in entries for seed in entry.get("seeds") or [] if _point(seed)]
    places = [place for entry in [*entries, *seeds] if (place := _point(entry))]
    names = labels(comparison)
    return plot(
        Axis("rate: KL, nats per image", *widened((rate for rate, _ in places), 0.08), plain),
        Axis("distortion: minus reconstruction, nats per image", *widened((d for _, d in places), 0.1), plain),
        names,
        lambda frame: _marks(comparison, entries, frame),
        label=f"{TITLE}: {'; '.join(_in_words(name, _of(model, entries)) for name, model in _pairs(comparison))}",
        narrow=narrow,
        attributes=attributes,
    )


def _pairs(comparison: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(zip(labels(comparison), comparison["models"], strict=True))


def _of(model: dict[str, Any], entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries of one model, in the order of beta."""
    own = [entry for entry in entries if entry["latent"] in (model["latent"], model.get("spec"))]
    return sorted(own, key=lambda entry: entry["beta"])


def _point(entry: dict[str, Any]) -> tuple[float, float] | None:
    rate, distortion = finite(entry.get("rate")), finite(entry.get("distortion"))
    return None if rate is None or distortion is None else (rate, distortion)


def _points(entries: list[dict[str, Any]]) -> Points:
    return [place for entry in entries if (place := _point(entry))]


def _in_words(name: str, entries: list[dict[str, Any]]) -> str:
    """A model's points for those who cannot see them."""
    points = zip(entries, _points(entries), strict=True)
    return name + "".join(f", β {entry['beta']:g} at {plain(x)} and {plain(y)}" for entry, (x, y) in points)


def _marks(comparison: dict[str, Any], entries: list[dict[str, Any]], frame: Frame) -> str:
    """Lines first, then dots, then the betas where they cover nothing."""
    lines, dots, words = [], [], []
    taken = [_around(*frame.place(place)) for place in _points(entries)]
    for index, model in enumerate(comparison["models"]):
        own, colour = _of(model, entries), colour_variable(index)
        if len(own) > 1:
            lines.append(line(_points(own), colour, 2.2, 1.0, frame))
        for entry in own:
            seeds = entry.get("seeds") or []
            if len(seeds) > 1:
                dots += [_dot(frame.place(place), 2.2, colour, 0.55) for place in _points(seeds)]
        for entry, place in zip(own, _points(own), strict=True):
            title = f"{labels(comparison)[index]}, β {entry['beta']:g}"
            dots.append(_dot(frame.place(place), 4.5, colour, 1.0, title))
            words.append(_beta(f"β {entry['beta']:g}", frame.place(place), colour, taken, frame))
    return "".join([*lines, *dots, *words])


def _dot(place: tuple[float, float], radius: float, colour: str, opacity: float, title: str = "") -> str:
    inside = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{radius}" opacity="{opacity}" style="fill:{colour}">'
        f"{inside}</circle>"
    )


def _around(x: float, y: float) -> Box:
    return x - 5, y - 5, x + 5, y + 5


def _beta(text: str, place: tuple[float, float], colour: str, taken: list[Box], frame: Frame) -> str:
    """The beta beside its dot, on the first side where it covers no dot, no other beta and no edge; else nothing."""
    x, y = place
    width = LETTER * len(text)
    corners = (
        *((x + 8, y - 6), (x - 8 - width, y + 16), (x + 8, y + 16), (x - 8 - width, y - 6)),
        *((x - width / 2, y - 11), (x - width / 2, y + 22), (x + 9, y + 5), (x - 9 - width, y + 5)),
    )
    for left, base in corners:
        box = (left, base - FONT, left + width, base + 3)
        inside = box[0] >= 0 and box[1] >= 0 and box[2] <= frame.width and box[3] <= frame.height
        if inside and not any(_meet(box, other) for other in taken):
            taken.append(box)
            return f'<text x="{left:.1f}" y="{base:.1f}" style="fill:{colour}">{text}</text>'
    return ""


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
