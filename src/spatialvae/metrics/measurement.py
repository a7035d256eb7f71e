"""What one metric gives, or the reason why it failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spatialvae.errors import UserError, last_line
from spatialvae.estimate import Estimate
from spatialvae.metrics.latent.summary import LatentHealth
from spatialvae.records import Record, as_json

__all__ = ["FAILURES", "Measurement", "attempt", "failures_of", "is_own", "reason"]

FAILURES = (
    UserError,
    torch.linalg.LinAlgError,  # pyright: ignore[reportPrivateImportUsage]: documented, yet not listed there
    torch.OutOfMemoryError,
    MemoryError,
)
"""What images, a user's network or a small machine can bring about: it fails one metric. All else is a fault of this
library and ends the evaluation; what a metric of one's own raises fails that metric, see `failures_of`."""


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


def failures_of(metric: object) -> tuple[type[Exception], ...]:
    """What fails this metric alone: `FAILURES`, and of a metric whose class is not the package's, any exception.

    >>> from spatialvae.metrics.catalogue import METRICS
    >>> failures_of(METRICS.parse("mse")) == FAILURES
    True
    """
    return FAILURES if is_own(type(metric)) else (Exception,)


def is_own(kind: type) -> bool:
    """Whether a class is one of this package."""
    return kind.__module__.partition(".")[0] == __name__.partition(".")[0]


def attempt(
    keys: Iterable[str], measure: Callable[[], Measurement], failures: tuple[type[Exception], ...] = FAILURES
) -> Measurement:
    """What `measure` returns; where it raises one of the failures, the reason under each of the keys.

    >>> def fails() -> Measurement:
    ...     raise UserError("All images have one label.")
    >>> attempt(["probe"], fails).failed
    {'probe': 'All images have one label.'}
    """
    try:
        return measure()
    except failures as error:
        return Measurement(failed=dict.fromkeys(keys, reason(error)))


def reason(failure: BaseException) -> str:
    """Why something failed, in a line; settings stand in it between backquotes.

    >>> reason(MemoryError("no room")), reason(KeyError("power"))
    ('no room', "KeyError: 'power'")
    """
    if isinstance(failure, UserError):
        return " ".join(failure.message.split())
    line, name = last_line(failure), type(failure).__name__
    return line if isinstance(failure, FAILURES) or line == name else f"{name}: {line}"
