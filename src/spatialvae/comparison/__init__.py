"""The controlled comparison of latents: training, evaluation, paired differences, timing, report."""

from spatialvae.comparison.compare import compare
from spatialvae.comparison.cost import Cost, measure_costs
from spatialvae.comparison.paired import Difference, paired_by_image, paired_by_seed, unpaired
from spatialvae.comparison.plan import default_latents

__all__ = [
    "Cost",
    "Difference",
    "compare",
    "default_latents",
    "measure_costs",
    "paired_by_image",
    "paired_by_seed",
    "unpaired",
]
