"""Learning curves: the validation bound against images seen."""

from __future__ import annotations

from typing import Any

from spatialvae.report.models import colour_variable, labels
from spatialvae.report.pages.seeds import repeated
from spatialvae.report.plots.frame import Axis, Frame, Points, line, mean_line, plain, plot, widened
from spatialvae.report.spelling import finite, short

__all__ = ["TITLE", "caption", "curves_svg"]

TITLE = "Validation bound while training"


def caption(comparison: dict[str, Any]) -> str:
    """What the curves are, and of how many trainings."""
    lines = (
        "A thin line is one seed and the thick line their mean."
        if repeated(comparison)
        else "A line is one training: how far from it another would lie is not known."
    )
    return (
        "The bound on the validation images against how many training images the model has seen. "
        f"{lines} The first fifth of the training may lie below the frame."
    )


def curves_svg(comparison: dict[str, Any], *, narrow: bool = False, attributes: str = "") -> str | None:
    """The curves as an `<svg>` element that takes its colours from the page; None where no run has a curve."""
    curves = [_of_model(model) for model in comparison["models"]]
    points = [point for model in curves for seed in model for point in seed]
    if not points:
        return None
    # All images, and the bounds after the first fifth: before it the models differ least.
    last = max(images for images, _ in points)
    late = [bound for images, bound in points if images >= last / 5] or [bound for _, bound in points]
    names = labels(comparison)
    return plot(
        Axis("images seen", 0, last or 1, short),
        Axis("bound, nats per image", *widened(late, 0.06), plain),
        names,
        lambda frame: "".join(_lines(model, index, frame) for index, model in enumerate(curves)),
        label=f"{TITLE}: a line for each of {', '.join(names)}",
        narrow=narrow,
        attributes=attributes,
    )


def _of_model(model: dict[str, Any]) -> list[Points]:
    """The curve of each seed that has one, numbers only."""
    seeds = []
    for run in model.get("runs") or []:
        pairs = [(finite(row.get("images")), finite(row.get("validation_bound"))) for row in run.get("curve") or []]
        seeds.append(sorted((images, bound) for images, bound in pairs if images is not None and bound is not None))
    return [seed for seed in seeds if seed]


def _lines(seeds: list[Points], model: int, frame: Frame) -> str:
    """The lines of one model: seeds thin, their mean thick."""
    colour = colour_variable(model)
    several = len(seeds) > 1
    drawn = [(seed, 1.2 if several else 2.4, 0.5 if several else 1.0) for seed in seeds]
    if several:
        drawn.append((mean_line(seeds), 2.6, 1.0))
    return "".join(line(points, colour, thick, opacity, frame) for points, thick, opacity in drawn if points)
