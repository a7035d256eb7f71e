"""What an evaluation gives: numbers with their errors, what they were taken of, and what to beware of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from spatialvae.metrics.estimate import Estimate

__all__ = ["Evaluation"]


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
        }
