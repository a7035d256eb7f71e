"""Tiny models whose pictures differ, with a fitted prior far from the standard one."""

from __future__ import annotations

import torch
from torch import Tensor

from spatialvae.config import ModelConfig
from spatialvae.model import SpatialVAE
from tests.priors.gaussians import gaussian


def small(latent: str = "low-rank", maps: int = 2, map_size: str | None = None) -> SpatialVAE:
    """An untrained model of 8x8 grey pictures."""
    config = ModelConfig(latent=latent, maps=maps, map_size=map_size, image_size=(8, 8), channels=1)
    model = SpatialVAE.from_config(config).eval()
    with torch.no_grad():  # an untrained one makes nothing but grey
        model.posterior.projection.weight.mul_(100)
        for name, buffer in model.decoder.named_buffers():
            if name.endswith("running_var"):
                buffer.fill_(0.05)
    shape = model.latent.event_shape
    model.priors["gaussian"] = gaussian(3 * torch.ones(shape), torch.eye(model.latent.numbers))
    return model


def pictures(count: int = 2) -> Tensor:
    return torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8)


def near(one: Tensor, other: Tensor) -> bool:
    """Equal up to the rounding of another batch size."""
    return one.shape == other.shape and int((one.int() - other.int()).abs().max()) <= 1
