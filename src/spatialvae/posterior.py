"""The only projection head: features of an image -> the parameters of a latent -> q(z|x)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from spatialvae.latents import AbstractLatent
from spatialvae.runtime.precision import unrounded

__all__ = ["Amortized", "DenseHead"]

START = 0.1
"""Of torch's initial weights: at 1 the first step's KL is 0.4 nats a number, and more where two numbers multiply."""


class DenseHead(nn.Linear):
    """One fully connected layer from features [B, F] or [B, F, h, w] to the numbers of a latent, [B, outputs]."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features.flatten(1))


class Amortized(nn.Module):
    """The amortised posterior q(z|x): one fully connected layer puts out what the latent asks for.

    Features [B, F] or [B, F, h, w] -> a distribution with batch [B] and event [maps, height, width]. What all images
    share is a parameter here. Every latent starts near N(0, I).

    >>> from spatialvae.latents import LATENTS
    >>> head = Amortized(LATENTS["low-rank"](maps=4, height=3, width=5), feature_shape=(16,))
    >>> q = head(torch.zeros(2, 16))
    >>> q.batch_shape, q.event_shape
    (torch.Size([2]), torch.Size([4, 3, 5]))
    """

    def __init__(self, latent: AbstractLatent, feature_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.latent = latent
        self.projection = DenseHead(math.prod(feature_shape), latent.encoder_outputs)
        with torch.no_grad():  # means near 0 and scales near 1, whatever the law makes of the numbers
            self.projection.weight.mul_(START)
            self.projection.bias.zero_()
        self.shared = nn.ParameterDict({n: nn.Parameter(torch.zeros(s)) for n, s in latent.shared_shapes.items()})

    def forward(self, features: Tensor) -> Distribution:
        return self.law(self.projection(features))

    def law(self, outputs: Tensor) -> Distribution:
        """q(z|x) of the projection's numbers [B, encoder_outputs]: all that it needs to be kept of an image."""
        outputs = unrounded(outputs)  # exp and log of scales would lose the KL's digits
        shapes = self.latent.shapes
        parts = outputs.split([math.prod(shape) for shape in shapes.values()], dim=-1)
        named = zip(shapes.items(), parts, strict=True)  # views of one tensor: nothing is copied
        with torch.autocast(outputs.device.type, enabled=False):  # a product of factors would be rounded to 8 bits
            parameters = {name: part.unflatten(-1, shape) for (name, shape), part in named}
            shared = {name: unrounded(parameter) for name, parameter in self.shared.items()}
            return self.latent.distribution({**parameters, **shared})
