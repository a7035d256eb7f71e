"""Gaussian priors made by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from spatialvae.priors import GaussianFamily, GaussianPrior
from spatialvae.priors.normal import CodeNormal

__all__ = ["gaussian"]


def gaussian(loc: Tensor, *factors: Tensor) -> GaussianPrior:
    """N(loc, kron of the factors' covariances); the identity without factors."""
    return GaussianPrior(GaussianFamily(), CodeNormal(loc, factors or (torch.eye(loc.numel(), dtype=loc.dtype),)))
