"""Metrics, one idea a file; each result is a value with its standard error and n.

`METRICS` is the table of them by name. What needs torch is imported when first used, so that the command line can name
every metric in its help.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from spatialvae.metrics.base import (
    METRICS,
    AbstractCodeMetric,
    AbstractFeatureMetric,
    AbstractMetric,
    AbstractModelMetric,
    AbstractPairMetric,
    AbstractSampleMetric,
    Quantity,
)
from spatialvae.metrics.catalogue import describe

if TYPE_CHECKING:
    from spatialvae.metrics.estimate import Estimate
    from spatialvae.metrics.evaluation import evaluate
    from spatialvae.metrics.image_sets import evaluate_images
    from spatialvae.metrics.latent.health import latent_health
    from spatialvae.metrics.latent.holes import holes_warning
    from spatialvae.metrics.latent.probe import linear_probe
    from spatialvae.metrics.latent.summary import LatentHealth
    from spatialvae.metrics.likelihood.importance import importance_weighted_bound
    from spatialvae.metrics.measurement import Measurement
    from spatialvae.metrics.provenance import NetworkDescription, Provenance
    from spatialvae.metrics.reconstruction.perceptual import PerceptualDistance
    from spatialvae.metrics.reconstruction.pictures import (
        mean_squared_error,
        peak_signal_to_noise,
        structural_similarity,
    )
    from spatialvae.metrics.result import Evaluation
    from spatialvae.metrics.samples.features import FeatureNetwork
    from spatialvae.metrics.samples.frechet import frechet, frechet_distance
    from spatialvae.metrics.samples.kernel import kernel_distance
    from spatialvae.metrics.samples.neighbours import density_coverage, precision_recall
    from spatialvae.metrics.samples.parzen import parzen_log_likelihood
    from spatialvae.metrics.subjects import EncodedBatch, FeatureSets, ModelOnSplit, Pairs, SampleSet

__all__ = [
    "METRICS",
    "AbstractCodeMetric",
    "AbstractFeatureMetric",
    "AbstractMetric",
    "AbstractModelMetric",
    "AbstractPairMetric",
    "AbstractSampleMetric",
    "EncodedBatch",
    "Estimate",
    "Evaluation",
    "FeatureNetwork",
    "FeatureSets",
    "LatentHealth",
    "Measurement",
    "ModelOnSplit",
    "NetworkDescription",
    "Pairs",
    "PerceptualDistance",
    "Provenance",
    "Quantity",
    "SampleSet",
    "density_coverage",
    "describe",
    "evaluate",
    "evaluate_images",
    "frechet",
    "frechet_distance",
    "holes_warning",
    "importance_weighted_bound",
    "kernel_distance",
    "latent_health",
    "linear_probe",
    "mean_squared_error",
    "parzen_log_likelihood",
    "peak_signal_to_noise",
    "precision_recall",
    "structural_similarity",
]

_HOMES = {
    "estimate": ("Estimate",),
    "evaluation": ("evaluate",),
    "image_sets": ("evaluate_images",),
    "latent.health": ("latent_health",),
    "latent.holes": ("holes_warning",),
    "latent.probe": ("linear_probe",),
    "latent.summary": ("LatentHealth",),
    "likelihood.importance": ("importance_weighted_bound",),
    "measurement": ("Measurement",),
    "provenance": ("NetworkDescription", "Provenance"),
    "reconstruction.perceptual": ("PerceptualDistance",),
    "reconstruction.pictures": ("mean_squared_error", "peak_signal_to_noise", "structural_similarity"),
    "result": ("Evaluation",),
    "samples.features": ("FeatureNetwork",),
    "samples.frechet": ("frechet", "frechet_distance"),
    "samples.kernel": ("kernel_distance",),
    "samples.neighbours": ("density_coverage", "precision_recall"),
    "samples.parzen": ("parzen_log_likelihood",),
    "subjects": ("EncodedBatch", "FeatureSets", "ModelOnSplit", "Pairs", "SampleSet"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(f"spatialvae.metrics.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module 'spatialvae.metrics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
