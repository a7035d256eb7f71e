"""The sections of a report in their order: the one list that the pages, the figures' files and the table walk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from spatialvae.report.plots import curves, health, rate_distortion
from spatialvae.report.tables.cost_note import cost_note
from spatialvae.results import Results

__all__ = ["GROUPS", "SECTIONS", "Plot", "Section"]


class Draw(Protocol):
    """A plot of a comparison as an `<svg>` element; None where there is nothing to draw."""

    def __call__(self, results: Results, *, narrow: bool = False, attributes: str = "") -> str | None: ...


@dataclass(frozen=True)
class Plot:
    """A plot of all models, for wide and narrow pages and for a file."""

    title: str
    draw: Draw
    caption: Callable[[Results], str]


@dataclass(frozen=True)
class Section:
    """One heading of a report and what stands under it; without anything under it, it is left out.

    >>> [section.id for section in SECTIONS if section.plot]
    ['rate-distortion', 'curves']
    """

    id: str
    """Of its heading, and of its plot's file."""
    title: str
    kind: Literal["pictures", "results", "latents", "sources", "made"] = "results"
    """Rows, plots and panels of results; or one of the four that a page writes in its own way."""
    groups: tuple[str, ...] = ()
    """The groups of rows of its table, in order."""
    plot: Plot | None = None
    panels: bool = False
    """Whether the latents' health is shown model by model, with the alarms."""
    note: Callable[[Results], str] | None = None
    """A sentence under the table; empty for none."""

    def file(self, results: Results) -> str | None:
        """The `<svg>` element of its file; None where it has none, or nothing to draw."""
        if self.panels:
            return health.health_svg(results)
        return self.plot.draw(results) if self.plot else None


SECTIONS = (
    Section("pictures", "Pictures", "pictures"),
    Section("quality", "Samples and reconstructions", groups=("samples", "reconstruction")),
    Section("likelihood", "Likelihood", groups=("likelihood",)),
    Section("health", health.TITLE, groups=("latent",), panels=True),
    Section(
        "rate-distortion",
        "Rate and distortion",
        plot=Plot(rate_distortion.TITLE, rate_distortion.rate_distortion_svg, rate_distortion.caption),
    ),
    Section("curves", "Learning curves", plot=Plot(curves.TITLE, curves.curves_svg, curves.caption)),
    Section("cost", "Size and cost", groups=("size", "cost"), note=cost_note),
    Section("latents", "The latents", "latents"),
    Section("sources", "Where the numbers are", "sources"),
    Section("made", "How this was made", "made"),
)
GROUPS = tuple(group for section in SECTIONS for group in section.groups)
"""The order of the rows of a table."""
