"""Which figures a report has, what their rows are called, and the sentences about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from spatialvae.metrics.base import RECONSTRUCTIONS
from spatialvae.priors import PRIORS, prior_title
from spatialvae.report.models import labels
from spatialvae.results import Results

__all__ = [
    "Figure",
    "FigureRow",
    "picture_figures",
    "samples_id",
]

SAMPLES = "samples-"


@dataclass(frozen=True)
class FigureRow:
    """One labelled row of images; `id` names its picture, `model` its index (None: real images)."""

    id: str
    label: str
    alt: str
    model: int | None


@dataclass(frozen=True)
class Figure:
    """A figure of labelled rows: real images first, then each model's."""

    id: str
    title: str
    caption: str
    rows: tuple[FigureRow, ...]


def samples_id(prior: str) -> str:
    """The id of the figure of samples from a prior, which is also a file's name.

    >>> samples_id("standard"), samples_id("mixture:components=20")
    ('samples-standard', 'samples-mixture-components=20')
    """
    return SAMPLES + prior.replace(":", "-").replace(",", "-")


def picture_figures(results: Results, ids: Iterable[str]) -> list[Figure]:
    """The picture figures among `ids`, in the order of the report.

    >>> from spatialvae.results import ModelResult
    >>> results = Results(models=(ModelResult("vector"),))
    >>> [figure.title for figure in picture_figures(results, ["samples-standard", "curves"])]
    ['Samples from N(0, I)']
    """
    wanted = list(ids)
    known = [samples_id(prior) for prior in PRIORS]
    others = sorted(name for name in wanted if name.startswith(SAMPLES) and "/" not in name and name not in known)
    figures = [_samples(results, name) for name in [*known, *others] if name in wanted]
    return [*figures, _reconstructions(results)] if RECONSTRUCTIONS in wanted else figures


def _samples(results: Results, name: str) -> Figure:
    prior = name.removeprefix(SAMPLES)
    title = f"Samples from {prior_title(prior)}"
    caption = f"Training images, then images that each model decodes from codes drawn from {prior_title(prior)}."
    return Figure(
        name, title, caption, _rows(results, name, "training images", "{}: samples from " + prior_title(prior))
    )


def _reconstructions(results: Results) -> Figure:
    caption = "Held-out images, then what each model makes of the same images: encoded to the mean code and decoded."
    rows = _rows(results, RECONSTRUCTIONS, "held-out images", "their reconstructions by {}")
    return Figure(RECONSTRUCTIONS, "Reconstructions of held-out images", caption, rows)


def _rows(results: Results, name: str, real: str, alt: str) -> tuple[FigureRow, ...]:
    models = [
        # Not `str.format` on the whole: a label may hold braces.
        FigureRow(f"{name}/{index}", label, alt.replace("{}", label), index)
        for index, label in enumerate(labels(results))
    ]
    return (FigureRow(f"{name}/images", real, real, None), *models)
