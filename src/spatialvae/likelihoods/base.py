"""What a likelihood is: the decoder's raw output -> a distribution over images, in density and in 8-bit mass.

Images are floats in [-1, 1]; an 8-bit value u sits at u / 127.5 - 1, and its bin reaches half a grey level,
1 / 255, to either side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.distributions.constraints import Constraint

from spatialvae.registry import Registry

__all__ = ["HALF_BIN", "LIKELIHOODS", "AbstractLikelihood", "AbstractPixels"]

HALF_BIN = 1 / 255
"""Half the distance of two neighbouring 8-bit values on the [-1, 1] scale."""


class AbstractPixels(Distribution, ABC):
    """A distribution over images: batch [B], event [C, H, W].

    The pixels of most are independent of each other; those of `logistic-mixture` depend on each other within a pixel's
    channels, those of `pixelcnn` on all that come before.
    """

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        """None: the parameters come from a network, and the finite loss is the check."""
        return {}

    def __init__(self, shape: torch.Size) -> None:
        super().__init__(shape[:-3], shape[-3:], validate_args=False)

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """The expected image, [B C H W]; pictures are it, clipped to [-1, 1]."""

    @property
    @abstractmethod
    def mode(self) -> Tensor:
        """The likeliest image, [B C H W]."""

    @property
    def noise_shape(self) -> torch.Size:
        """The shape of the uniform numbers that one image is drawn from: one a pixel and channel by default."""
        return self.event_shape

    @abstractmethod
    def drawn(self, noise: Tensor) -> Tensor:
        """The images that uniform numbers in [0, 1) stand for.

        Args:
            noise: [... B, *noise_shape], on any device.

        Returns:
            [... B C H W], on the distribution's device and without a gradient.
        """

    @abstractmethod
    def log_prob(self, value: Tensor) -> Tensor:
        """What the bound's reconstruction term is made of, nats per image, [B]."""

    @abstractmethod
    def log_mass(self, value: Tensor) -> Tensor:
        """The log-probability of the 8-bit image itself, nats per image, [B]: what an entropy coder would pay."""

    @property
    def outline(self) -> Tensor:
        """A picture that two forms of one decoder are compared by, [B C H W]: the mean, where that is quick to have."""
        return self.mean

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        """Images drawn from the distribution, [*sample_shape B C H W]: the same of one seed on every device."""
        return self.drawn(torch.rand(torch.Size(sample_shape) + self.batch_shape + self.noise_shape))


class AbstractLikelihood(nn.Module, ABC):
    """p(x|z): raw decoder outputs [B, outputs, H, W] -> `AbstractPixels`."""

    learning_rate_factor: ClassVar[float] = 10.0
    """How many times as fast as the networks its own parameters learn: Adam moves a number by about its learning rate a
    step, and the one log-scale of a likelihood has far to go."""

    autoregressive: ClassVar[bool] = False
    """Whether it describes pixels by the pixels before them, so that it can do without a code."""

    def means(self, channels: int) -> tuple[int | None, ...]:
        """For each number that the decoder puts out for a pixel: the image channel whose mean it shifts, or None.

        None is for scales, weights and the like. A network with a path that is linear in the pixels adds it to the
        outputs that shift a mean, and to no other.

        Args:
            channels: of the images.
        """
        return tuple(range(channels))

    def outputs(self, channels: int) -> int:
        """How many numbers the decoder puts out for a pixel of images with so many channels."""
        return len(self.means(channels))

    def build(self, channels: int) -> None:
        """Make the weights that depend on the images' channels; a model calls it once. Most have none."""

    def start_scale(self, scale: float) -> None:
        """Start a learned scale where pixels have this standard deviation about their means; nothing by default."""

    @abstractmethod
    def forward(self, output: Tensor) -> AbstractPixels: ...


LIKELIHOODS: Registry[AbstractLikelihood] = Registry("likelihood")
"""Every likelihood by its name: `@LIKELIHOODS.register("my-likelihood")` above a class adds one."""
