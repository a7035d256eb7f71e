"""Metrics, one idea a file; each result is a value with its standard error and n."""

from spatialvae.metrics.estimate import Estimate
from spatialvae.metrics.evaluate import evaluate
from spatialvae.metrics.importance import importance_weighted_bound
from spatialvae.metrics.pictures import mean_squared_error, peak_signal_to_noise, structural_similarity

__all__ = [
    "Estimate",
    "evaluate",
    "importance_weighted_bound",
    "mean_squared_error",
    "peak_signal_to_noise",
    "structural_similarity",
]
