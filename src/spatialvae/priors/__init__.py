"""Laws to draw codes from: the paper's N(0, I), one trained with the model, and those fitted after training."""

from spatialvae.priors.base import AbstractDirectFamily, AbstractFamily, AbstractPrior, Codes
from spatialvae.priors.diffusion.diffusion import DiffusionFamily, DiffusionPrior
from spatialvae.priors.families import FAMILIES, parse_family
from spatialvae.priors.flow.coupling import seen_flat
from spatialvae.priors.flow.flow import FlowFamily, FlowPrior
from spatialvae.priors.gaussian import GaussianFamily, GaussianPrior
from spatialvae.priors.labels import Labels
from spatialvae.priors.learned import LearnedPrior, parse_prior
from spatialvae.priors.mixture.mixture import MixtureFamily, MixturePrior
from spatialvae.priors.signal import signal_directions
from spatialvae.priors.standard import standard_normal
from spatialvae.priors.trained import AbstractTrainedFamily, AbstractTrainedPrior

__all__ = [
    "FAMILIES",
    "AbstractDirectFamily",
    "AbstractFamily",
    "AbstractPrior",
    "AbstractTrainedFamily",
    "AbstractTrainedPrior",
    "Codes",
    "DiffusionFamily",
    "DiffusionPrior",
    "FlowFamily",
    "FlowPrior",
    "GaussianFamily",
    "GaussianPrior",
    "Labels",
    "LearnedPrior",
    "MixtureFamily",
    "MixturePrior",
    "parse_family",
    "parse_prior",
    "seen_flat",
    "signal_directions",
    "standard_normal",
]
