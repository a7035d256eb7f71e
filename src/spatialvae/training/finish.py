"""What follows the last step: a prior one can sample from, and the run's summary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch.distributions import Distribution

from spatialvae.data import ImageData
from spatialvae.data.batches import in_order, to_device
from spatialvae.model import SpatialVAE, evaluating
from spatialvae.precision import fast_autocast
from spatialvae.priors import fit_gaussian
from spatialvae.seeding import seeded
from spatialvae.store import save_prior

__all__ = ["fit_run_prior"]

BATCH = 500
LIMIT = 50_000  # enough for a covariance of any size that is fitted in full


@torch.no_grad()
def fit_run_prior(model: SpatialVAE, data: ImageData, folder: Path, *, seed: int = 0) -> None:
    """Fit a Gaussian to the aggregate posterior of (up to 50,000) training images; attach it, and store it."""
    split = data.split("train")

    def posteriors() -> Iterator[Distribution]:
        for images in in_order(split, BATCH, LIMIT):
            with fast_autocast(model.device):
                posterior = model.encode(to_device(images, model.device))
            yield posterior

    with evaluating(model), seeded(seed):
        prior = fit_gaussian(posteriors, model.latent.event_shape, min(LIMIT, len(split)))
    save_prior(folder, prior)
    model.priors["gaussian"] = prior.to(model.device)
