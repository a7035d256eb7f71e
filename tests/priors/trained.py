"""Priors with a network, made by hand in float64."""

from __future__ import annotations

from typing import TypeVar

import torch

from spatialvae.priors import AbstractTrainedPrior, GaussianPrior
from spatialvae.seeding import seeded
from tests.priors.gaussians import gaussian

__all__ = ["correlated", "stirred"]

Prior = TypeVar("Prior", bound=AbstractTrainedPrior)


def correlated(event: tuple[int, int, int], axes: tuple[int, ...] | None = None) -> GaussianPrior:
    """A Gaussian with all numbers tied to each other, its covariance a product over `axes` (else one)."""
    maps, height, width = event
    with seeded(3):
        factors = []
        for size in axes or (maps * height * width,):
            root = torch.randn(size, size, dtype=torch.float64) / size**0.5
            factors.append(torch.linalg.cholesky(root @ root.mT + 0.3 * torch.eye(size, dtype=torch.float64)))
        return gaussian(torch.randn(event, dtype=torch.float64), *factors)


def stirred(prior: Prior, amount: float = 0.1) -> Prior:
    """The prior with noise added to every weight, so that it is no Gaussian any more."""
    with seeded(5), torch.no_grad():
        for parameter in prior.network.parameters():
            parameter += amount * torch.randn_like(parameter)
    return prior
