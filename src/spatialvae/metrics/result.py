"""What an evaluation gives: numbers with their errors, what they were taken of, and what to beware of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from html import escape

from torch import Tensor

from spatialvae.data.subset import spell_subset
from spatialvae.estimate import Estimate, spell
from spatialvae.metrics.catalogue import describe
from spatialvae.metrics.latent.summary import LatentHealth
from spatialvae.metrics.measurement import Measurement
from spatialvae.metrics.provenance import Provenance
from spatialvae.metrics.reconstruction.linear import behind
from spatialvae.records import APART, OMITTED

__all__ = ["Evaluation", "html_table", "spell_estimate", "text_table"]


@dataclass(frozen=True, repr=False)
class Evaluation:
    """The results of one model or one set of images.

    Printed, it is a table; in a notebook too. `spatialvae.records.as_json` gives it as JSON has it.
    """

    metrics: Mapping[str, Estimate]
    """By key, a metric's name or name/of-what: see `spatialvae.metrics.catalogue.describe`."""
    health: LatentHealth | None
    """None for a set of images, and where it was not measured."""
    provenance: Provenance
    warnings: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    """By key, why a metric that was wanted could not be measured."""
    command: str | None = field(default=None, metadata=OMITTED)
    """The line that measures the same again, where it is known."""
    values: Mapping[str, Tensor] = field(default_factory=dict, metadata=APART)
    """One value an image, float64 [n], for the metrics that have one: what paired differences are made of."""

    @classmethod
    def of(cls, measured: Measurement, provenance: Provenance) -> Evaluation:
        """The results of all metrics together."""
        return cls(
            measured.metrics,
            measured.health,
            replace(provenance, details={**provenance.details, **measured.details}),
            measured.warnings,
            measured.failed,
            values=measured.values,
        )

    def __repr__(self) -> str:
        return "\n".join(text_table(self))

    def _repr_html_(self) -> str:
        return html_table(self)

    def with_warnings(self, warnings: Iterable[str]) -> Evaluation:
        """The same results with more to beware of."""
        return replace(self, warnings=(*self.warnings, *warnings))


def text_table(evaluation: Evaluation, target: str = "") -> list[str]:
    """What was measured on what, a metric a line, then what to beware of.

    Args:
        evaluation: the results.
        target: what was measured, for the first line.
    """
    width = max((len(key) for key in evaluation.metrics), default=0)
    lines = [
        f"  {key:<{width}} {spell_estimate(estimate)}  ({describe(key).unit}, {_count(evaluation, key, estimate)})"
        for key, estimate in evaluation.metrics.items()
    ]
    return [*_heading(evaluation, target), *lines, *(f"  ! {text}" for text in _cautions(evaluation))]


def html_table(evaluation: Evaluation) -> str:
    """The same as HTML."""
    rows = [
        f"<tr><td title='{escape(describe(key).meaning)}'>{escape(describe(key).title)}</td>"
        f"<td style='text-align: right'>{escape(spell_estimate(estimate).strip())}</td>"
        f"<td>{escape(describe(key).unit)}</td><td>{escape(_count(evaluation, key, estimate))}</td></tr>"
        for key, estimate in evaluation.metrics.items()
    ]
    heading = "".join(f"<caption>{escape(line)}</caption>" for line in _heading(evaluation, "")[:1])
    cautions = "".join(f"<li>{escape(text)}</li>" for text in _cautions(evaluation))
    return f"<table>{heading}{''.join(rows)}</table>{f'<ul>{cautions}</ul>' if cautions else ''}"


def spell_estimate(estimate: Estimate) -> str:
    """Value and error as `spell` writes them, the values of a table aligned.

    >>> spell_estimate(Estimate(0.25, 0.00012, 100))
    '     0.25000 ± 0.00012'
    """
    value, space, error = spell(estimate).partition(" ")
    return f"{value:>12}{space}{error}"


def _heading(evaluation: Evaluation, target: str) -> list[str]:
    """The images, and the network of features."""
    source = evaluation.provenance
    paired = f", paired {source.paired}" if source.paired else ""
    used = spell_subset(source.images, source.of, source.seed)
    on = f"{target} on {source.data}" if target else source.data
    lines = [f"{on}, {source.split}, {used}{paired}; ± {source.intervals}"]
    if source.features:
        features = source.features
        lines.append(f"features: {features.name} (sha256 {features.sha256[:12]}, resize {features.resize})")
    return lines


def _count(evaluation: Evaluation, key: str, estimate: Estimate) -> str:
    """On how many images a metric rests."""
    count, source = f"n = {estimate.n:,}", evaluation.provenance
    if key not in evaluation.values or estimate.n >= source.images:
        return count
    with_label = key == "probe"  # images without one take no part
    return f"{count} of {source.images:,}" + (" with a label" if with_label else f", drawn with seed {source.seed}")


def _cautions(evaluation: Evaluation) -> list[str]:
    """How far behind linear models it is, alarms, warnings, and what failed."""
    alarms = evaluation.health.alarms if evaluation.health else ()
    failed = [f"{key} failed: {reason}" for key, reason in evaluation.failed.items()]
    lags = [lag.sentence for lag in behind(evaluation.metrics)]
    return [*lags, *alarms, *evaluation.warnings, *failed]
