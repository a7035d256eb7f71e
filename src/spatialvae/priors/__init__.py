"""Laws to draw codes from: the paper's N(0, I), one trained with the model, and those fitted after training."""

from spatialvae.priors.gaussian import GaussianPrior, fit_gaussian
from spatialvae.priors.learned import LearnedPrior, parse_prior
from spatialvae.priors.standard import standard_normal

__all__ = ["GaussianPrior", "LearnedPrior", "fit_gaussian", "parse_prior", "standard_normal"]
