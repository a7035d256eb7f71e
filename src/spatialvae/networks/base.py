"""What a family of networks is: an encoder and a decoder for any images and any code, with options and a name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from spatialvae.heads import Head
from spatialvae.networks.shapes import Shape
from spatialvae.registry import Registry
from spatialvae.sizes import default_grid

__all__ = ["NETWORKS", "AbstractNetworks", "Start"]


@dataclass(frozen=True)
class Start:
    """Where a model begins whose networks start from images."""

    log_scales: Tensor
    """Of the posterior, one for each map, [N]."""
    noise: float
    """The standard deviation of a pixel around its mean, of images in [-1, 1]."""


@dataclass(frozen=True)
class AbstractNetworks(ABC):
    """Both halves of a model, for images of any size. The fields of a subclass are its options.

    The two halves are any modules:

    - the encoder takes images [B C H W] in [-1, 1] to features, [B F] or maps [B F h w];
    - the decoder takes codes [B maps h w] to the likelihood's parameters, [B outputs H W].

    A decoder may have a method `fast()`, which returns a module that computes the same function in fewer steps, for
    inference alone. `sample` compares the two forms on a few codes and uses the fast one where they agree.

    An encoder may have an attribute `codes`: so many of its first feature channels, maps of the code's own size, are
    a code already, and the head `conv` starts the latent's `loc` as exactly these.

    An encoder may have a method `start_from(images, decoder, means)`, which a training calls before its first step
    with floats [B C H W] and the `means` of the likelihood; it returns a `Start`, or None where nothing starts. Layers
    that can compute their inner values again for the gradient, to save memory, have an attribute `checkpointing`, which
    a training sets. A module whose parameters learn slower or faster than the others says by how much in an attribute
    `learning_rate_factor`.
    """

    head: ClassVar[Head] = "dense"
    """The head of a model that does not say which."""
    likelihood: ClassVar[str] = "gaussian"
    """The likelihood of a model that does not say which."""

    def default_grid(self, image_shape: Shape) -> Shape:
        """(maps, height, width) of the latents of a model that does not say how many or how large."""
        return default_grid(image_shape[1:])

    def check(self, image_shape: Shape, code_shape: Shape, grid: Shape) -> None:  # noqa: B027
        """Refuse what this family cannot make networks for; nothing by default.

        Raises:
            UserError: with the nearest that it can.
        """

    @abstractmethod
    def encoder(self, image_shape: Shape, code_shape: Shape, grid: Shape) -> nn.Module:
        """The encoder of images of `image_shape`, (C, H, W), for codes and a grid as `decoder` has them."""

    @abstractmethod
    def decoder(self, code_shape: Shape, output_shape: Shape, grid: Shape) -> nn.Module:
        """The decoder of codes of `code_shape`.

        Args:
            code_shape: (maps, height, width) of one code.
            output_shape: (outputs, H, W): as many channels as the likelihood has parameters a pixel.
            grid: (maps, height, width) of the latents that this one is compared with, whose decoder a family may
                match in size; the same as `code_shape` for a model on its own.
        """


NETWORKS: Registry[AbstractNetworks] = Registry("network")
"""Every family of networks by its name."""
