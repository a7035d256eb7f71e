"""What an evaluation gives: numbers with their errors, what they were taken of, and what to beware of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from spatialvae.errors import UserError, last_line
from spatialvae.metrics.estimate import Estimate

__all__ = ["FAILURES", "Evaluation", "reason"]

FAILURES = (
    UserError,
    torch.linalg.LinAlgError,  # pyright: ignore[reportPrivateImportUsage]: documented, yet not listed there
    torch.OutOfMemoryError,
    MemoryError,
)
"""What images, a user's network or a small machine can bring about: it fails one metric. All else is a fault of this
library and ends the evaluation."""


@dataclass
class Evaluation:
    """The results of one model or one set of images.

    >>> import torch
    >>> found = Evaluation()
    >>> found.add("mse", torch.tensor([0.5, 1.5]))
    >>> found.estimates["mse"].value
    1.0
    """

    estimates: dict[str, Estimate] = field(default_factory=dict)
    """By key, a metric's name or name/of-what: see `spatialvae.metrics.catalogue.describe`."""
    values: dict[str, Tensor] = field(default_factory=dict)
    """One value an image, float64 [n], for the metrics that have one: what paired differences are made of."""
    health: dict[str, Any] | None = None
    """What `latent_health` says; None for a set of images."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Data, split, crop, resize, numbers of images, networks with their sha256, seed, and what the errors are over."""
    warnings: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """By key, why a metric that was wanted could not be measured."""

    @contextmanager
    def attempt(self, *keys: str) -> Iterator[None]:
        """What fails inside by one of `FAILURES` is noted under `keys`; what was measured before is kept.

        >>> found = Evaluation()
        >>> with found.attempt("probe"):
        ...     raise UserError("All images have one label.")
        >>> found.failed
        {'probe': 'All images have one label.'}
        """
        try:
            yield
        except FAILURES as error:
            self.failed |= dict.fromkeys(keys, reason(error))

    def add(self, key: str, values: Tensor) -> None:
        """One value an image [n]: kept, and summed up."""
        self.values[key] = values.detach().double().cpu()
        self.estimates[key] = Estimate.of(values)

    def as_dict(self) -> dict[str, Any]:
        """All but the values an image, as JSON has it."""
        return {
            "metrics": {key: estimate.as_dict() for key, estimate in self.estimates.items()},
            "health": self.health,
            "provenance": self.provenance,
            "warnings": self.warnings,
            "failed": self.failed,
        }


def reason(failure: BaseException) -> str:
    """Why something failed, in a line."""
    return " ".join(str(failure).split()) if isinstance(failure, UserError) else last_line(failure)
