"""Results made up: nothing was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from spatialvae.metrics import Estimate, Evaluation
from spatialvae.metrics.latent.summary import AggregateSummary, LatentHealth
from spatialvae.metrics.provenance import Provenance

__all__ = ["evaluation", "health", "provenance"]

PROVENANCE = Provenance("made-up", "0a", "none", (8, 8), "none", "test", 4, 4, 0, "over images")
AGGREGATE = AggregateSummary(0.1, 0.9, 1.0, 1.1, 2.5, ((1.0,),), ((1.0,),))
HEALTH = LatentHealth(
    4, 2, 1.5, (1.0, 0.5), ((1.5,),), 2, ((2,),), None, None, None, None, None, None, AGGREGATE, 0.01, ()
)


def provenance(**changes: Any) -> Provenance:
    return replace(PROVENANCE, **changes)


def health(**changes: Any) -> LatentHealth:
    return replace(HEALTH, **changes)


def evaluation(metrics: dict[str, Estimate] | None = None, values: dict[str, Tensor] | None = None) -> Evaluation:
    return Evaluation(metrics or {}, None, PROVENANCE, command="", values=values or {})
