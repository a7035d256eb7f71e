"""Learning curves: the validation bound against images seen."""

from __future__ import annotations

from spatialvae.report.models import colour_variable, labels
from spatialvae.report.plots.frame import Axis, Frame, Points, line, mean_line, plain, plot, widened
from spatialvae.report.spelling import finite, short
from spatialvae.results import CurvePoint, ModelResult, Results

__all__ = ["TITLE", "caption", "curves_svg"]

TITLE = "Validation bound while training"


def caption(results: Results) -> str:
    """What the curves are, and of how many trainings."""
    lines = (
        "A thin line is one seed and the thick line their mean."
        if results.repeated
        else "A line is one training: how far from it another would lie is not known."
    )
    return (
        "The bound on the validation images against how many training images the model has seen. "
        f"{lines} The first fifth of the training may lie below the frame."
    )


def curves_svg(results: Results, *, narrow: bool = False, attributes: str = "") -> str | None:
    """The curves as an `<svg>` element that takes its colours from the page; None where no run has a curve."""
    curves = [_of_model(model) for model in results.models]
    points = [point for model in curves for seed in model for point in seed]
    if not points:
        return None
    # All images, and the bounds after the first fifth: before it the models differ least.
    last = max(images for images, _ in points)
    late = [bound for images, bound in points if images >= last / 5] or [bound for _, bound in points]
    names = labels(results)
    return plot(
        Axis("images seen", 0, last or 1, short),
        Axis("bound, nats per image", *widened(late, 0.06), plain),
        names,
        lambda frame: "".join(_lines(model, index, frame) for index, model in enumerate(curves)),
        label=f"{TITLE}: a line for each of {', '.join(names)}",
        narrow=narrow,
        attributes=attributes,
    )


def _of_model(model: ModelResult) -> list[Points]:
    """The curve of each seed that has one, numbers only."""
    seeds = [
        sorted((float(point.images), point.validation_bound) for point in run.curve if _is_finite(point))
        for run in model.runs
    ]
    return [seed for seed in seeds if seed]


def _is_finite(point: CurvePoint) -> bool:
    return finite(point.validation_bound) is not None


def _lines(seeds: list[Points], model: int, frame: Frame) -> str:
    """The lines of one model: seeds thin, their mean thick."""
    colour = colour_variable(model)
    several = len(seeds) > 1
    drawn = [(seed, 1.2 if several else 2.4, 0.5 if several else 1.0) for seed in seeds]
    if several:
        drawn.append((mean_line(seeds), 2.6, 1.0))
    return "".join(line(points, colour, thick, opacity, frame) for points, thick, opacity in drawn if points)
