"""What a family of networks is: an encoder and a decoder for any images and any code, with options and a name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import nn

from spatialvae.networks.shapes import Shape
from spatialvae.registry import Registry

__all__ = ["NETWORKS", "AbstractNetworks"]


@dataclass(frozen=True)
class AbstractNetworks(ABC):
    """Both halves of a model, for images of any size. The fields of a subclass are its options.

    The two halves are any modules:

    - the encoder takes images [B C H W] in [-1, 1] to features, [B F] or maps [B F h w];
    - the decoder takes codes [B maps h w] to the likelihood's parameters, [B outputs H W].

    A decoder may have a method `fast()`, which returns a module that computes the same function in fewer steps, for
    inference alone. `sample` compares the two forms on a few codes and uses the fast one where they agree.
    """

    @abstractmethod
    def encoder(self, image_shape: Shape) -> nn.Module:
        """The encoder of images of `image_shape`, (C, H, W)."""

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
