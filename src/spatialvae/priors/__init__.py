"""Laws to draw codes from: the paper's N(0, I), and those fitted to the aggregate posterior after training."""

from spatialvae.priors.gaussian import GaussianPrior, fit_gaussian
from spatialvae.priors.standard import standard_normal

__all__ = ["GaussianPrior", "fit_gaussian", "standard_normal"]
