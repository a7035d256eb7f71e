"""The amortised posterior: features of an image -> the parameters of a latent -> q(z|x)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from spatialvae.errors import UserError, nearest
from spatialvae.heads import ConvProjection, DenseProjection, Head
from spatialvae.latents import AbstractLatent
from spatialvae.runtime.precision import unrounded

__all__ = ["HEADS", "Amortized"]

HEADS: dict[Head, type[DenseProjection] | type[ConvProjection]] = {"dense": DenseProjection, "conv": ConvProjection}
"""What may put out the numbers that a latent asks for, by name."""


class Amortized(nn.Module):
    """The amortised posterior q(z|x): a projection puts out what the latent asks for.

    Features [B, *feature_shape] -> a distribution with batch [B] and event [maps, height, width]. What all images
    share is a parameter here. Every latent starts near N(0, I).

    Args:
        latent: what the numbers mean.
        feature_shape: what the encoder puts out for one image, (F,) or (F, height, width).
        head: ``dense``, one fully connected layer, or ``conv``, 1x1 convolutions over feature maps, whose weights do
            not grow with the image.
        codes: how many of the first feature maps are a code already, where a mean put out by ``conv`` starts.

    Raises:
        UserError: another head, or one that these features or this latent do not suit.

    >>> from spatialvae.latents import LATENTS
    >>> latent = LATENTS["low-rank"](maps=4, height=3, width=5)
    >>> q = Amortized(latent, (16,))(torch.zeros(2, 16))
    >>> q.batch_shape, q.event_shape
    (torch.Size([2]), torch.Size([4, 3, 5]))
    >>> Amortized(latent, (16, 6, 10), head="conv")(torch.zeros(2, 16, 6, 10)).event_shape
    torch.Size([4, 3, 5])
    """

    projection: Any
    """`DenseProjection` or `ConvProjection`: features -> numbers [B, encoder_outputs]."""

    def __init__(
        self, latent: AbstractLatent, feature_shape: Sequence[int], head: Head = "dense", codes: int = 0
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise UserError(f"`head` {head} is not possible. {nearest(str(head), HEADS)}")
        self.latent = latent
        self.projection = HEADS[head](latent, feature_shape)
        self.starts_as_codes = (
            isinstance(self.projection, ConvProjection) and codes == latent.maps and self.projection.start_as_codes()
        )
        """Whether the mean starts as the first feature maps, which are a code already."""
        # Only then is `initial` asked: random numbers that are not used would move those that follow.
        start = latent.initial() if latent.shared_shapes else {}
        self.shared = nn.ParameterDict({name: nn.Parameter(start[name]) for name in latent.shared_shapes})

    @torch.no_grad()
    def start_scales(self, log_scales: Tensor) -> None:
        """Start the scale of each map, N numbers, where the mean starts as a code and the latent has such a scale.

        A scale is a parameter `scale`, or the product of several `..._scale`, which take equal shares.
        """
        if not self.starts_as_codes:  # scales that suit a mean which is not there would only cost nats
            return
        biases = dict[str, Tensor](self.shared.items())
        if isinstance(self.projection, ConvProjection):
            biases |= {name: bias for name in self.latent.axes if (bias := self.projection.bias(name)) is not None}
        scales = [bias for name, bias in biases.items() if name.endswith("scale") and bias.shape == log_scales.shape]
        for bias in scales:
            bias += log_scales.to(bias) / len(scales)

    def forward(self, features: Tensor) -> Distribution:
        return self.distribution(self.projection(features))

    def distribution(self, outputs: Tensor) -> Distribution:
        """q(z|x) of the projection's numbers [B, encoder_outputs]: all that it needs to be kept of an image."""
        outputs = unrounded(outputs)  # exp and log of scales would lose the KL's digits
        shapes = self.latent.shapes
        parts = outputs.split([math.prod(shape) for shape in shapes.values()], dim=-1)
        named = zip(shapes.items(), parts, strict=True)  # views of one tensor: nothing is copied
        with torch.autocast(outputs.device.type, enabled=False):  # a product of factors would be rounded to 8 bits
            parameters = {name: part.unflatten(-1, shape) for (name, shape), part in named}
            shared = {name: unrounded(parameter) for name, parameter in self.shared.items()}
            return self.latent.distribution({**parameters, **shared})
