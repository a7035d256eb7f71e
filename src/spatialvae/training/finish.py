"""What follows the last step: a prior one can sample from."""

from __future__ import annotations

from pathlib import Path

import torch

from spatialvae.data import ImageData
from spatialvae.model import SpatialVAE
from spatialvae.posterior_codes import LIMIT, PosteriorCodes
from spatialvae.priors import AbstractPrior, GaussianFamily
from spatialvae.seeding import seeded
from spatialvae.store import save_prior

__all__ = ["attach_gaussian", "fit_run_prior"]

FEWEST = 5_000
"""Images that the Gaussian is fitted to even after a training of fewer."""


@torch.no_grad()
def attach_gaussian(model: SpatialVAE, data: ImageData, *, limit: int = LIMIT, seed: int = 0) -> AbstractPrior:
    """Fit a Gaussian to the aggregate posterior of (up to `limit`) training images, and attach it to the model."""
    with PosteriorCodes(model, data, limit=limit, seed=seed) as codes, seeded(seed):
        prior, _ = GaussianFamily().fit(codes)
    model.priors["gaussian"] = prior.to(model.device)
    return prior


def fit_run_prior(model: SpatialVAE, data: ImageData, folder: Path, *, seen: int = LIMIT, seed: int = 0) -> None:
    """`attach_gaussian`, and store it in the run folder.

    Args:
        seen: how many images the training took; no more are encoded, so that this stays a fraction of its time.
    """
    save_prior(folder, attach_gaussian(model, data, limit=min(LIMIT, max(seen, FEWEST)), seed=seed))
