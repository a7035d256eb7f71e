"""What follows the last step: a prior one can sample from."""

from __future__ import annotations

from pathlib import Path

import torch

from spatialvae.data import ImageData
from spatialvae.model import SpatialVAE
from spatialvae.posterior_codes import PosteriorCodes
from spatialvae.priors import AbstractPrior, GaussianFamily
from spatialvae.seeding import seeded
from spatialvae.store import save_prior

__all__ = ["attach_gaussian", "fit_run_prior"]


@torch.no_grad()
def attach_gaussian(model: SpatialVAE, data: ImageData, *, seed: int = 0) -> AbstractPrior:
    """Fit a Gaussian to the aggregate posterior of (up to 50,000) training images, and attach it to the model."""
    with PosteriorCodes(model, data, seed=seed) as codes, seeded(seed):
        prior, _ = GaussianFamily().fit(codes)
    model.priors["gaussian"] = prior.to(model.device)
    return prior


def fit_run_prior(model: SpatialVAE, data: ImageData, folder: Path, *, seed: int = 0) -> None:
    """`attach_gaussian`, and store it in the run folder."""
    save_prior(folder, attach_gaussian(model, data, seed=seed))
