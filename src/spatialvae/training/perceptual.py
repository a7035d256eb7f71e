"""A training whose loss holds, beside the bound, how far apart images and reconstructions look."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from spatialvae.config import TrainConfig
from spatialvae.elbo import ELBO
from spatialvae.errors import UserError
from spatialvae.imagenet import INSTALL, imagenet, is_installed
from spatialvae.model import SpatialVAE

__all__ = ["Seen", "WithDistance", "check_distance"]


class Seen(NamedTuple):
    """The terms of the bound, and the perceptual distance of each image to its reconstruction, 0 to 4, [B]."""

    terms: ELBO
    perceptual: Tensor


class WithDistance(nn.Module):
    """The terms of a model's bound, and the perceptual distance d(x, E[x|z]) of the same draw of z.

    The mean of p(x|z) is compared, as pixels of 0 to 255 that are neither rounded nor clipped, so that gradients reach
    decoder and encoder from every pixel. The ImageNet network gets none.
    """

    def __init__(self, model: SpatialVAE) -> None:
        super().__init__()
        self.model = model
        self.network = imagenet(model.device)

    def forward(self, images: Tensor) -> Seen:
        terms, pixels = self.model.terms(images)
        with torch.autocast(images.device.type, enabled=False):  # small differences of maps would be rounded to 8 bits
            means = (pixels.mean.float() + 1) * 127.5
            return Seen(terms, self.network.distance(_colour(means), _colour(images)))


def check_distance(config: TrainConfig, channels: int) -> None:
    """Refuse what has no perceptual distance.

    Raises:
        UserError: the network is not installed, other channels than it takes, another objective, or a likelihood whose
            mean is made pixel by pixel.
    """
    if not is_installed():
        raise UserError(f"`perceptual_weight` needs the ImageNet network: {INSTALL}")
    if channels not in (1, 3):
        raise UserError(f"`perceptual_weight` is for images of 1 or 3 channels, not of {channels}: leave it out.")
    if config.objective != "elbo":
        raise UserError("`perceptual_weight` goes with the bound: use `objective` elbo, or leave it out.")
    if (config.model.likelihood or "").partition(":")[0] == "pixelcnn":
        raise UserError(
            "`perceptual_weight` takes the mean of p(x|z), which pixelcnn makes pixel by pixel: use the likelihood "
            "logistic-mixture."
        )


def _colour(images: Tensor) -> Tensor:
    return images.expand(-1, 3, -1, -1)
