"""The second stage: priors fitted to the codes of a trained model, and the choice among them."""

from spatialvae.fitting.api import fit, training_settings
from spatialvae.fitting.choose import held_out_frechet
from spatialvae.fitting.fit import Fitted, check_priors, fit_missing, fit_prior, present
from spatialvae.fitting.stage import PriorStage, train_prior

__all__ = [
    "Fitted",
    "PriorStage",
    "check_priors",
    "fit",
    "fit_missing",
    "fit_prior",
    "held_out_frechet",
    "present",
    "train_prior",
    "training_settings",
]
