"""Rate against distortion: what a latent pays in nats of KL and gets in reconstruction, over the weights beta."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from spatialvae.report.models import colour_variable, labels
from spatialvae.report.plots.frame import FONT, Axis, Frame, Points, line, plain, plot, widened
from spatialvae.report.spelling import finite
from spatialvae.results import ModelResult, RatePoint, Results, SeedPoint

__all__ = ["TITLE", "caption", "rate_distortion_svg"]

TITLE = "Rate and distortion"
LETTER = 0.58 * FONT  # the width of a letter, about

Box = tuple[float, float, float, float]


def caption(results: Results) -> str:
    """What the points are, and of how many trainings."""
    dots = (
        "A small dot is one seed and the large one their mean."
        if results.repeated
        else "A point is one training: how far from it another would lie is not known."
    )
    return (
        "Distortion (minus the reconstruction term) against rate (the KL), nats per held-out image; a point for each "
        "weight β of the KL in training, joined per latent. Lower and further left is better: that latent tells the "
        f"decoder more with the same nats. {dots} The bound is minus the sum of both."
    )


def rate_distortion_svg(results: Results, *, narrow: bool = False, attributes: str = "") -> str | None:
    """The plot as an `<svg>` element that takes its colours from the page; None with fewer than two betas."""
    points = [entry for entry in results.rate_distortion if _place(entry)]
    if len({point.beta for point in points}) < 2:
        return None
    places = _places([*points, *(seed for point in points for seed in point.seeds)])
    names = labels(results)
    return plot(
        Axis("rate: KL, nats per image", *widened((rate for rate, _ in places), 0.08), plain),
        Axis("distortion: minus reconstruction, nats per image", *widened((d for _, d in places), 0.1), plain),
        names,
        lambda frame: _marks(results, points, frame),
        label=f"{TITLE}: {'; '.join(_in_words(name, _of(model, points)) for name, model in _pairs(results))}",
        narrow=narrow,
        attributes=attributes,
    )


def _pairs(results: Results) -> list[tuple[str, ModelResult]]:
    return list(zip(labels(results), results.models, strict=True))


def _of(model: ModelResult, points: Sequence[RatePoint]) -> list[RatePoint]:
    """The points of one model, in the order of beta."""
    own = [point for point in points if point.latent in (model.latent, model.spec)]
    return sorted(own, key=lambda point: point.beta)


def _place(point: RatePoint | SeedPoint) -> tuple[float, float] | None:
    rate, distortion = finite(point.rate), finite(point.distortion)
    return None if rate is None or distortion is None else (rate, distortion)


def _places(points: Sequence[RatePoint | SeedPoint]) -> Points:
    return [place for point in points if (place := _place(point))]


def _in_words(name: str, points: Sequence[RatePoint]) -> str:
    """A model's points for those who cannot see them."""
    placed = zip(points, _places(points), strict=True)
    return name + "".join(f", β {point.beta:g} at {plain(x)} and {plain(y)}" for point, (x, y) in placed)


def _marks(results: Results, points: Sequence[RatePoint], frame: Frame) -> str:
    """Lines first, then dots, then the betas where they cover nothing."""
    lines, dots, words = [], [], []
    taken = [_around(*frame.place(place)) for place in _places(points)]
    for index, model in enumerate(results.models):
        own, colour = _of(model, points), colour_variable(index)
        if len(own) > 1:
            lines.append(line(_places(own), colour, 2.2, 1.0, frame))
        for point in own:
            if len(point.seeds) > 1:
                dots += [_dot(frame.place(place), 2.2, colour, 0.55) for place in _places(point.seeds)]
        for point, place in zip(own, _places(own), strict=True):
            title = f"{labels(results)[index]}, β {point.beta:g}"
            dots.append(_dot(frame.place(place), 4.5, colour, 1.0, title))
            words.append(_beta(f"β {point.beta:g}", frame.place(place), colour, taken, frame))
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
