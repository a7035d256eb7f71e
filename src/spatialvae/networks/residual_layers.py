"""The layers of the residual networks: blocks whose branch starts at zero, attention, and resampling by two."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

__all__ = ["Attention", "Block", "Norm", "Resample", "Stack", "downsample", "upsample", "zeroed"]

Norm = Literal["none", "group"]
Resample = Literal["shuffle", "strided"]
GROUPS = 8


class Block(nn.Module):
    """x + conv(f(conv(f(x)))), f a SiLU, or group norm and a SiLU; the last convolution starts at zero."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *_activation(width, norm),
            nn.Conv2d(width, width, 3, padding=1),
            *_activation(width, norm),
            zeroed(nn.Conv2d(width, width, 3, padding=1)),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.branch(maps)


class Attention(nn.Module):
    """x + W softmax(q k^T / sqrt(width)) v over all sites of normalised maps; W starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.queries = nn.Conv2d(width, 3 * width, 1)
        self.out = zeroed(nn.Conv2d(width, width, 1))

    def forward(self, maps: Tensor) -> Tensor:
        q, k, v = self.queries(self.norm(maps)).flatten(2).mT.chunk(3, dim=-1)
        return maps + self.out(scaled_dot_product_attention(q, k, v).mT.reshape(maps.shape))


class Stack(nn.Sequential):
    """Blocks one after the other; with `checkpointing` their inner values are computed again for the gradient."""

    checkpointing: bool = False

    def forward(self, input: Tensor) -> Tensor:
        for layer in self:
            if self.checkpointing and torch.is_grad_enabled():
                # The blocks draw no random numbers.
                input = checkpoint(layer, input, use_reentrant=False, preserve_rng_state=False)  # pyright: ignore[reportAssignmentType]
            else:
                input = layer(input)
        return input


def downsample(width_in: int, width_out: int, resample: Resample) -> nn.Module:
    """Half the size: pixels unshuffled into channels and a 3x3 convolution, or one of stride 2."""
    if resample == "strided":
        return nn.Conv2d(width_in, width_out, 3, stride=2, padding=1)
    return nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * width_in, width_out, 3, padding=1))


def upsample(width_in: int, width_out: int, resample: Resample) -> nn.Module:
    """Twice the size: a 3x3 convolution whose channels are shuffled into pixels, or a transposed one of stride 2."""
    if resample == "strided":
        return nn.ConvTranspose2d(width_in, width_out, 4, stride=2, padding=1)
    return nn.Sequential(nn.Conv2d(width_in, 4 * width_out, 3, padding=1), nn.PixelShuffle(2))


def zeroed(layer: nn.Module) -> nn.Module:
    """The layer with all its parameters zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def _activation(width: int, norm: Norm) -> list[nn.Module]:
    groups = math.gcd(GROUPS, width)
    return [nn.GroupNorm(groups, width), nn.SiLU()] if norm == "group" else [nn.SiLU()]
