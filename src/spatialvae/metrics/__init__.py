"""Metrics, one idea a file; each result is a value with its standard error and n."""

from spatialvae.metrics.catalogue import CATALOGUE, Metric, describe
from spatialvae.metrics.estimate import Estimate
from spatialvae.metrics.evaluate import evaluate
from spatialvae.metrics.features import FeatureNetwork
from spatialvae.metrics.frechet import frechet, frechet_distance
from spatialvae.metrics.health import latent_health
from spatialvae.metrics.holes import holes_warning
from spatialvae.metrics.image_sets import evaluate_images
from spatialvae.metrics.importance import importance_weighted_bound
from spatialvae.metrics.kernel import kernel_distance
from spatialvae.metrics.neighbours import density_coverage, precision_recall
from spatialvae.metrics.parzen import parzen_log_likelihood
from spatialvae.metrics.perceptual import PerceptualDistance
from spatialvae.metrics.pictures import mean_squared_error, peak_signal_to_noise, structural_similarity
from spatialvae.metrics.probe import linear_probe
from spatialvae.metrics.result import Evaluation

__all__ = [
    "CATALOGUE",
    "Estimate",
    "Evaluation",
    "FeatureNetwork",
    "Metric",
    "PerceptualDistance",
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
