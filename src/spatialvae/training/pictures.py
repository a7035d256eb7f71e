"""A training step that also looks at the pictures: the bound's terms with the draw's mean picture beside them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from spatialvae.elbo import ELBO
from spatialvae.imagenet import imagenet
from spatialvae.model import SpatialVAE

__all__ = ["Seen", "WithPictures"]


class Seen(NamedTuple):
    """The terms of the bound, and what losses of pictures are made of, for the same draw of z."""

    terms: ELBO
    outputs: Tensor
    """Of the decoder, [B O H W]: all gradients of the decoder go through them."""
    means: Tensor
    """E[x|z] in [-1, 1], neither rounded nor clipped, [B C H W]."""
    perceptual: Tensor | None
    """The perceptual distance of each image to its mean picture, 0 to 4, [B]; None where it is not asked for."""


class WithPictures(nn.Module):
    """The terms of a model's bound, and its mean pictures E[x|z]; the ImageNet network that sees them is left alone.

    Args:
        distance: whether the perceptual distance is taken.
    """

    def __init__(self, model: SpatialVAE, *, distance: bool) -> None:
        super().__init__()
        self.model = model
        self.network = imagenet(model.device) if distance else None

    def forward(self, images: Tensor) -> Seen:
        terms, pixels, outputs = self.model.terms(images)
        means = pixels.mean.float()
        if self.network is None:
            return Seen(terms, outputs, means, None)
        with torch.autocast(images.device.type, enabled=False):  # small differences of maps would be rounded to 8 bits
            return Seen(terms, outputs, means, self.network.distance(_colour((means + 1) * 127.5), _colour(images)))


def _colour(images: Tensor) -> Tensor:
    return images.expand(-1, 3, -1, -1)
