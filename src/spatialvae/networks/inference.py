"""Decoders for drawing many pictures: fewer passes over memory, the fast number format, compiled where it pays."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from spatialvae.networks.subpixel import SubpixelConvolution
from spatialvae.runtime.compilation import compiled_or_eager
from spatialvae.runtime.precision import fast_dtype, unrounded

__all__ = ["compiling_pays", "decoded_at_once", "fast_decoder", "folded", "with_subpixels"]

AT_ONCE = {"cpu": 100}
"""Codes that go through the decoder together: on a CPU few enough that a layer's maps stay in the cache."""
ACCELERATOR_AT_ONCE = 5000
COMPILE_FROM = 12_000_000_000
"""Numbers of all pictures together, a million pictures of 64x64 in colour: compiling takes 20 to 30 seconds, and saves
about a tenth of the time that a CPU takes for a picture."""
FEW_CHANNELS = 4
"""Channels that a transposed convolution puts out, fewer than half a vector register of a CPU."""


def decoded_at_once(device: torch.device) -> int:
    """How many codes go through the decoder together."""
    return AT_ONCE.get(device.type, ACCELERATOR_AT_ONCE)


def compiling_pays(numbers: int, device: torch.device) -> bool:
    """Whether compiling the decoder takes less time than it saves over pictures of `numbers` numbers in all.

    A function of the count alone, so that the same call gives the same pictures. An accelerator never gets there: a
    second of its time is millions of pictures.
    """
    return device.type == "cpu" and numbers >= COMPILE_FROM


def fast_decoder(decoder: nn.Module, example: Tensor, *, compile: bool) -> Callable[[Tensor], Tensor]:
    """`decoder` in eval mode as a function from codes to its raw outputs in float32, for inference alone.

    The same function but for rounding: batch norms are folded, the channels of a map lie next to each other, and where
    bf16 is fast the layers compute in it (double precision stays as it is).

    Args:
        example: codes [B, maps, height, width] as those to come.
        compile: whether batches of as many codes as `example` go through a compiled network.
    """
    network = folded(decoder)
    if example.device.type == "cpu":
        network = with_subpixels(network)
    dtype = fast_dtype(example.device) if example.dtype == torch.float32 else example.dtype
    network = network.to(dtype=dtype, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def run(codes: Tensor) -> Tensor:
        return unrounded(network(codes.to(dtype=dtype, memory_format=torch.channels_last)))

    if not compile:
        return run
    whole = compiled_or_eager(run, lambda function: function(example))
    return lambda codes: whole(codes) if codes.shape == example.shape else run(codes)


def folded(network: nn.Module) -> nn.Sequential:
    """A copy in which each batch norm is folded into the convolution before it, and activations work in place.

        norm(conv(x)) = conv'(x)  with  W' = W g / sqrt(v + eps),  b' = b - m g / sqrt(v + eps)

    Args:
        network: in eval mode; its layers run in the order in which they were registered.

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
