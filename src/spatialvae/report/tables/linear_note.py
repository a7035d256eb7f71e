"""Which models of a comparison lie behind linear ones, in words."""

from __future__ import annotations

from spatialvae.metrics.reconstruction.linear import behind
from spatialvae.report.models import labels
from spatialvae.results import Results

__all__ = ["linear_notes"]


def linear_notes(results: Results) -> list[str]:
    """A sentence for each linear model and measure that some models are worse in; none where all are better.

    >>> from spatialvae.estimate import Estimate
    >>> from spatialvae.results import ModelResult
    >>> metrics = {"bits_per_dim": Estimate(6.1, 0.01, 9), "pca_bits_per_dim": Estimate(5.1, 0.01, 9)}
    >>> linear_notes(Results(models=(ModelResult("naive", metrics=metrics), ModelResult("vector"))))
    ['Behind linear PCA with as many numbers, in bits a dimension: naive by 1.00.']
    """
    sides: dict[str, list[str]] = {}
    for label, model in zip(labels(results), results.models, strict=True):
        for lag in behind(model.metrics):
            if lag.key == "mse":
                start, gap = f"Behind {lag.linear}, in squared error", f"{lag.value:.2g} against {lag.reference:.2g}"
            else:
                start, gap = f"Behind {lag.linear}, in bits a dimension", f"by {lag.value - lag.reference:.2f}"
            sides.setdefault(start, []).append(f"{label} {gap}")
    return [f"{start}: {', '.join(models)}." for start, models in sides.items()]
