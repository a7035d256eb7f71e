"""The controlled comparison of latents: training, evaluation, timing, report."""

from spatialvae.comparison.compare import compare
from spatialvae.comparison.cost import Cost, measure_costs

__all__ = ["Cost", "compare", "measure_costs"]
