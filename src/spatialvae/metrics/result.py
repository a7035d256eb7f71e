"""What an evaluation gives: numbers with their errors, what they were taken of, and what to beware of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from spatialvae.errors import UserError, last_line
from spatialvae.metrics.estimate import Estimate
from spatialvae.metrics.latent.summary import LatentHealth
from spatialvae.metrics.provenance import Provenance
from spatialvae.records import APART, OMITTED, Record, as_json

__all__ = ["FAILURES", "Evaluation", "Measurement", "attempt", "key_of", "reason"]

FAILURES = (
    UserError,
    torch.linalg.LinAlgError,  # pyright: ignore[reportPrivateImportUsage]: documented, yet not listed there
    torch.OutOfMemoryError,
    MemoryError,
)
"""What images, a user's network or a small machine can bring about: it fails one metric. All else is a fault of this
library and ends the evaluation."""


@dataclass(frozen=True)
class Measurement:
    """What one or several metrics gave; ``one | other`` holds both.

    >>> import torch
    >>> both = Measurement.of("mse", torch.tensor([0.5, 1.5])) | Measurement(failed={"probe": "there is one label"})
    >>> both.metrics["mse"].value, both.failed
    (1.0, {'probe': 'there is one label'})
    """

    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    values: Mapping[str, Tensor] = field(default_factory=dict)
    health: LatentHealth | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    """What belongs into the provenance, by the metric's key: a JSON object each."""
    warnings: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, key: str, values: Tensor, details: Record | None = None) -> Measurement:
        """The measurement of one metric from one value an image, [n], and a dataclass of what to know about it."""
        each = values.detach().double().cpu()
        return cls({key: Estimate.of(values)}, {key: each}, details={key: as_json(details)} if details else {})

    def __or__(self, other: Measurement) -> Measurement:
        return Measurement(
            {**self.metrics, **other.metrics},
            {**self.values, **other.values},
            other.health or self.health,
            {**self.details, **other.details},
            tuple(dict.fromkeys((*self.warnings, *other.warnings))),
            {**self.failed, **other.failed},
        )


@dataclass(frozen=True)
class Evaluation:
    """The results of one model or one set of images; `spatialvae.records.as_json` gives them as JSON has them."""

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

    def with_warnings(self, warnings: Iterable[str]) -> Evaluation:
        """The same results with more to beware of."""
        return replace(self, warnings=(*self.warnings, *warnings))


def attempt(keys: Iterable[str], measure: Callable[[], Measurement]) -> Measurement:
    """What `measure` returns; where it raises one of `FAILURES`, the reason under each of the keys.

    >>> def fails() -> Measurement:
    ...     raise UserError("All images have one label.")
    >>> attempt(["probe"], fails).failed
    {'probe': 'All images have one label.'}
    """
    try:
        return measure()
    except FAILURES as error:
        return Measurement(failed=dict.fromkeys(keys, reason(error)))


def key_of(name: str, of: str) -> str:
    """The key of a metric by what it was taken of.

    >>> key_of("frechet", "gaussian"), key_of("mse", "")
    ('frechet/gaussian', 'mse')
    """
    return f"{name}/{of}" if of else name


def reason(failure: BaseException) -> str:
    """Why something failed, in a line."""
    return " ".join(str(failure).split()) if isinstance(failure, UserError) else last_line(failure)
