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
    >>> metrics = {"mse": Estimate(0.00024, 0.0, 9), "pca_mse": Estimate(0.0002, 0.0, 9)}
    >>> linear_notes(Results(models=(ModelResult("naive", metrics=metrics),)))
    ['Behind linear PCA with as many numbers, in squared error: naive 1.20 times as much.']
    """
    sides: dict[str, list[str]] = {}
    for label, model in zip(labels(results), results.models, strict=True):
        for lag in behind(model.metrics):
            if lag.key == "mse":
                ratio = lag.value / lag.reference
                start, gap = f"Behind {lag.linear}, in squared error", f"{ratio:,.2f} times as much"
            else:
                start, gap = f"Behind {lag.linear}, in bits a dimension", f"by {lag.value - lag.reference:.2f}"
            sides.setdefault(start, []).append(f"{label} {gap}")
    return [f"{start}: {', '.join(models)}." for start, models in sides.items()]
