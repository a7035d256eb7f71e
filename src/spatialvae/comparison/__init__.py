"""The controlled comparison of latents: training, evaluation, paired differences, timing, report."""

from spatialvae.comparison.api import compare
from spatialvae.comparison.compare import run_comparison
from spatialvae.comparison.comparison import Comparison
from spatialvae.comparison.cost import measure_costs
from spatialvae.comparison.paired import paired_by_image, paired_by_seed, unpaired
from spatialvae.comparison.plan import default_latents
from spatialvae.comparison.settings import ComparisonSettings
from spatialvae.results import Cost, Difference, ModelResult, Results

__all__ = [
    "Comparison",
    "ComparisonSettings",
    "Cost",
    "Difference",
    "ModelResult",
    "Results",
    "compare",
    "default_latents",
    "measure_costs",
    "paired_by_image",
    "paired_by_seed",
    "run_comparison",
    "unpaired",
]
