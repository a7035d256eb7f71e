"""Metrics, one idea a file; each result is a value with its standard error and n.

`METRICS` is the table of them by name. What needs torch is imported when first used, so that the command line can name
every metric in its help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spatialvae.estimate import Estimate
from spatialvae.lazy_names import lazy_names
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
    "EncodedBatch": "subjects",
    "Evaluation": "result",
    "FeatureNetwork": "samples.features",
    "FeatureSets": "subjects",
    "LatentHealth": "latent.summary",
    "Measurement": "measurement",
    "ModelOnSplit": "subjects",
    "NetworkDescription": "provenance",
    "Pairs": "subjects",
    "PerceptualDistance": "reconstruction.perceptual",
    "Provenance": "provenance",
    "SampleSet": "subjects",
    "density_coverage": "samples.neighbours",
    "evaluate": "evaluation",
    "evaluate_images": "image_sets",
    "frechet": "samples.frechet",
    "frechet_distance": "samples.frechet",
    "holes_warning": "latent.holes",
    "importance_weighted_bound": "likelihood.importance",
    "kernel_distance": "samples.kernel",
    "latent_health": "latent.health",
    "linear_probe": "latent.probe",
    "mean_squared_error": "reconstruction.pictures",
    "parzen_log_likelihood": "samples.parzen",
    "peak_signal_to_noise": "reconstruction.pictures",
    "precision_recall": "samples.neighbours",
    "structural_similarity": "reconstruction.pictures",
}
__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
