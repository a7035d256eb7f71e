"""Chains of layers in fewer steps: batch norms inside the convolutions, sub-pixel forms, activations in place."""

from __future__ import annotations

import copy
from typing import TypeGuard

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from spatialvae.networks.subpixel import SubpixelConvolution

__all__ = ["folded", "with_subpixels"]

FEW_CHANNELS = 4
"""Channels that a transposed convolution puts out, fewer than half a vector register of a CPU."""


def folded(network: nn.Module) -> nn.Sequential:
    """A copy in which each batch norm is folded into the convolution before it, and activations work in place.

        norm(conv(x)) = conv'(x)  with  W' = W g / sqrt(v + eps),  b' = b - m g / sqrt(v + eps)

    Args:
        network: in evaluation mode, and a plain chain: its layers run in the order in which they were registered.

    Returns:
        the chain; its weights take no gradient.

    >>> layers = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ELU()).eval()
    >>> [type(layer).__name__ for layer in folded(layers)]
    ['Conv2d', 'ELU']
    """
    layers: list[nn.Module] = []
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            before = layers[-1]
            layers[-1] = fuse_conv_bn_eval(before, layer, transpose=isinstance(before, nn.ConvTranspose2d))  # pyright: ignore[reportArgumentType, reportCallIssue]
        elif isinstance(layer, nn.ELU):
            layers.append(nn.ELU(layer.alpha, inplace=True))
        elif not list(layer.children()):
            layers.append(copy.deepcopy(layer))
    return nn.Sequential(*layers).eval().requires_grad_(False)


def with_subpixels(network: nn.Sequential) -> nn.Sequential:
    """`network` with its doubling layers to few channels in their sub-pixel form."""
    return nn.Sequential(*(SubpixelConvolution(layer) if _few_channels(layer) else layer for layer in network))


def _few_channels(layer: nn.Module) -> TypeGuard[nn.ConvTranspose2d]:
    return SubpixelConvolution.fits(layer) and layer.out_channels <= FEW_CHANNELS
