"""A causal network over the pixels, after PixelVAE (Gulrajani and others, 2017): each pixel sees those before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from spatialvae.errors import UserError
from spatialvae.likelihoods.base import LIKELIHOODS, AbstractLikelihood, AbstractPixels
from spatialvae.likelihoods.causal import CausalCache, CausalNetwork
from spatialvae.likelihoods.location_scale import ScaleOffset
from spatialvae.likelihoods.logistic_mixture import (
    LogisticMixturePixels,
    check_components,
    mixture_means,
    start_mixture,
)
from spatialvae.options import check_options
from spatialvae.runtime.precision import unrounded

__all__ = ["PixelCNN", "PixelCNNPixels"]

MOST_LAYERS, MOST_WIDTH = 50, 1024
AXES = -3
"""Axes of one image, or of one image's noise."""


class PixelCNNPixels(AbstractPixels):
    """P(x) = prod_i P(x_i | x_1 ... x_(i-1)), pixels i in raster order, each a mixture of logistics over its channels.

    Args:
        network: gives what the pixels before add to the decoder's outputs.
        output: raw outputs of the decoder, [B, outputs, H, W].
        channels: of the images.
        components: of the mixtures.
        offset: of their raw scales.
    """

    def __init__(
        self, network: CausalNetwork, output: Tensor, channels: int, components: int, offset: ScaleOffset
    ) -> None:
        self.network, self.output, self.components, self.offset = network, output, components, offset
        super().__init__(torch.Size((*output.shape[:-3], channels, *output.shape[-2:])))

    @property
    def mean(self) -> Tensor:
        """The image made pixel by pixel of conditional expectations: each given that all before are the expected ones.

        It is not the expectation of the image, which nothing but an average over draws would give.
        """
        return self._generated(lambda pixel, _: pixel.mean)

    @property
    def mode(self) -> Tensor:
        """The image made pixel by pixel of likeliest values: not the likeliest of all images, which is out of reach."""
        return self._generated(lambda pixel, _: pixel.mode)

    @property
    def noise_shape(self) -> torch.Size:
        channels, height, width = self.event_shape
        return torch.Size((1 + channels, height, width))

    @property
    def outline(self) -> Tensor:
        """The expectation by the decoder's outputs alone: what the pixels before add is left out."""
        return self._mixture(self.output).mean

    def drawn(self, noise: Tensor) -> Tensor:
        return self._generated(lambda pixel, numbers: pixel.drawn(numbers), noise.to(self.output))

    def log_mass(self, value: Tensor) -> Tensor:
        """Of all pixels at once: each one's distribution is known, since the image is."""
        images = value.expand(*value.shape[:AXES], *self.event_shape)
        output = self.output.expand(*value.shape[:AXES], *self.output.shape[AXES:])
        # The convolutions may run in a shorter format, the densities may not.
        added = unrounded(self.network(images.flatten(0, -4), output.flatten(0, -4)))
        return self._mixture(output + added.reshape(output.shape)).log_mass(images)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.log_mass(value)  # already a mass: the bound is of the 8-bit image

    def _mixture(self, output: Tensor) -> LogisticMixturePixels:
        return LogisticMixturePixels.of_outputs(output, self.components, self.offset)

    @torch.no_grad()
    def _generated(
        self, choose: Callable[[LogisticMixturePixels, Tensor], Tensor], noise: Tensor | None = None
    ) -> Tensor:
        """An image made pixel by pixel, [... C H W], with the network's maps kept from one pixel to the next.

        Args:
            choose: from a pixel's distribution and its noise to its values.
            noise: [..., 1 + C, H, W]; its leading axes are those of the images. None: the batch's own.
        """
        leading = self.batch_shape if noise is None else noise.shape[:AXES]
        output = self.output.expand(*leading, *self.output.shape[AXES:]).flatten(0, -4)
        numbers = output if noise is None else noise.flatten(0, -4)
        channels, height, width = self.event_shape
        cache = CausalCache(self.network, output, channels)
        images = output.new_empty(len(output), channels, height, width)
        for row in range(height):
            for column in range(width):
                place = (..., slice(row, row + 1), slice(column, column + 1))
                added = unrounded(cache.step(row, column))[:, :, None, None]
                images[place] = choose(self._mixture(output[place] + added), numbers[place])
                cache.put(row, column, images[:, :, row, column])
        return images.reshape(*leading, channels, height, width)


@LIKELIHOODS.register("pixelcnn")
class PixelCNN(AbstractLikelihood):
    """log P of the 8-bit image, nats per image, in which each pixel depends on z and on all pixels before it.

        log P(x) = sum_i log P_i(x_i),   P_i the mixture of decoder(z)_i + network(x_1 ... x_(i-1), decoder(z))_i

    Pixels go in raster order, and channels in theirs, as in `logistic-mixture`, with which it is the same before it is
    trained. A mixture rather than 256 classes: it has 50 outputs a pixel in colour in place of 768, neighbouring values
    share what they learn, and channels need no steps of their own. Images are generated pixel by pixel, which takes far
    longer than to decode them, and `mean` and `mode` are made in the same way. The network can describe much of an
    image without z, so that the KL may collapse.

    Args:
        layers: causal convolutions, the first of 5x5, the others of 3x3.
        width: of the network.
        components: of each pixel's mixture.

    Raises:
        UserError: a number of layers, a width or a number of components that makes no sense.

    >>> likelihood = PixelCNN(layers=2, width=8)
    >>> likelihood.build(channels=3)
    >>> likelihood(torch.zeros(2, 50, 4, 4)).sample().shape
    torch.Size([2, 3, 4, 4])
    """

    learning_rate_factor: ClassVar[float] = 1.0  # a network, like the decoder
    autoregressive: ClassVar[bool] = True

    def __init__(self, layers: int = 4, width: int = 32, components: int = 5) -> None:
        super().__init__()
        self.layers, self.width, self.components = layers, width, components
        check_options(self)
        check_components(components)
        for name, value, most in (("layers", layers, MOST_LAYERS), ("width", width, MOST_WIDTH)):
            if not 1 <= value <= most:
                raise UserError(f"{name}={value} is not possible: pixelcnn takes 1 to {most}, for instance {name}=4.")
        self.channels = 0
        self.offset = ScaleOffset()

    def build(self, channels: int) -> None:
        """Make the network for images of so many channels.

        Raises:
            UserError: it is made for others already.
        """
        if self.channels not in (0, channels):
            raise UserError(
                f"This pixelcnn is of images with {self.channels} channels, not {channels}: make another one for these."
            )
        if not self.channels:
            self.channels = channels
            self.network = CausalNetwork(channels, self.outputs(channels), self.layers, self.width)

    def start_scale(self, scale: float) -> None:
        start_mixture(self.offset, scale)

    def means(self, channels: int) -> tuple[int | None, ...]:
        return mixture_means(self.components, channels)

    def forward(self, output: Tensor) -> PixelCNNPixels:
        if not self.channels:
            raise UserError("This pixelcnn has no network yet: call build(channels) first, as a model does.")
        return PixelCNNPixels(self.network, unrounded(output), self.channels, self.components, self.offset)
