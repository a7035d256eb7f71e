"""Metrics, one idea a file; each result is a value with its standard error and n."""

from spatialvae.metrics.catalogue import CATALOGUE, Metric, describe
from spatialvae.metrics.estimate import Estimate
from spatialvae.metrics.evaluate import evaluate
from spatialvae.metrics.image_sets import evaluate_images
from spatialvae.metrics.latent.health import latent_health
from spatialvae.metrics.latent.holes import holes_warning
from spatialvae.metrics.latent.probe import linear_probe
from spatialvae.metrics.likelihood.importance import importance_weighted_bound
from spatialvae.metrics.reconstruction.perceptual import PerceptualDistance
from spatialvae.metrics.reconstruction.pictures import mean_squared_error, peak_signal_to_noise, structural_similarity
from spatialvae.metrics.result import Evaluation
from spatialvae.metrics.samples.features import FeatureNetwork
from spatialvae.metrics.samples.frechet import frechet, frechet_distance
from spatialvae.metrics.samples.kernel import kernel_distance
from spatialvae.metrics.samples.neighbours import density_coverage, precision_recall
from spatialvae.metrics.samples.parzen import parzen_log_likelihood

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
