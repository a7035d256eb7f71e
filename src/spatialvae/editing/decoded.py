"""Codes of pictures and pictures of codes, with dropout off and no gradients."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.data.pixels import to_uint8
from spatialvae.model import SpatialVAE
from spatialvae.runtime.evaluating import evaluating

__all__ = ["decoded", "mean_codes_of", "posterior_of"]

AT_ONCE = 500


@torch.no_grad()
def posterior_of(model: SpatialVAE, images: Tensor) -> Distribution:
    """q(z|x) of images [B C H W]: batch [B], event [maps, height, width].

    Raises:
        ValueError: images of another size than the model's.
    """
    with evaluating(model):
        return model.encode(images.to(model.device))


def mean_codes_of(model: SpatialVAE, images: Tensor) -> Tensor:
    """The means of q(z|x): images [B C H W] -> [B, maps, height, width], on the model's device.

    Raises:
        ValueError: images of another size than the model's.
    """
    return posterior_of(model, images).mean


@torch.no_grad()
def decoded(model: SpatialVAE, codes: Tensor) -> Tensor:
    """The mean pictures of codes [B, maps, height, width]: uint8 [B C H W], on the CPU."""
    with evaluating(model):
        parts = codes.to(model.device).split(AT_ONCE)
        return torch.cat([to_uint8(model.decode(part).mean).cpu() for part in parts])
