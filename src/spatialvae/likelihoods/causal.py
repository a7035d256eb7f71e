"""Convolutions over the pixels before a pixel, in raster order: for a whole image at once, and pixel by pixel."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, elu, linear, pad

__all__ = ["CausalCache", "CausalConvolution", "CausalNetwork"]

FIRST, LATER = 5, 3
"""Sides of the kernels."""


class CausalConvolution(nn.Module):
    """A square convolution over the pixels above, and to the left in the same row; over the pixel itself if `itself`.

    In raster order these are the first entries of the kernel, and only they are stored: weight [out, in, P].
    """

    def __init__(self, width_in: int, width_out: int, side: int, *, itself: bool) -> None:
        super().__init__()
        self.side, self.places = side, side * side // 2 + itself
        self.weight = nn.Parameter(torch.empty(width_out, width_in, self.places))
        self.bias = nn.Parameter(torch.zeros(width_out))
        bound = 1 / math.sqrt(width_in * self.places)
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, maps: Tensor) -> Tensor:
        """[B in H W] -> [B out H W]."""
        kernel = pad(self.weight, (0, self.side**2 - self.places)).reshape(*self.weight.shape[:2], self.side, self.side)
        return conv2d(maps, kernel, self.bias, padding=self.side // 2)

    def at(self, padded: Tensor, row: int, column: int) -> Tensor:
        """The output at one pixel, [B out], of maps with a border of side // 2 zeros, [B in H+ W+]."""
        patch = padded[:, :, row : row + self.side // 2 + 1, column : column + self.side].flatten(2)
        return linear(patch[:, :, : self.places].flatten(1), self.weight.flatten(1), self.bias)


class CausalNetwork(nn.Module):
    """From an image and maps that condition it to outputs of each pixel that no pixel from it on has a part in.

        h_1 = A * (x, 1) + C c,   h_l = h_(l-1) + R_l elu(B_l * elu(h_(l-1))),   output = O elu(h_L)

    A is a causal convolution of 5x5 without the pixel itself, B_l are causal ones of 3x3 with it, and C, R_l and O are
    linear at each pixel. O starts at zero: the network adds nothing before it is trained.

    Args:
        channels: of the images.
        conditions: maps c, which any pixel may see at its own place.
        layers: L, causal convolutions.
        width: of h.
    """

    def __init__(self, channels: int, conditions: int, layers: int, width: int) -> None:
        super().__init__()
        self.first = CausalConvolution(channels + 1, width, FIRST, itself=False)
        self.condition = nn.Conv2d(conditions, width, 1)
        later = range(layers - 1)
        self.causal = nn.ModuleList(CausalConvolution(width, width, LATER, itself=True) for _ in later)
        self.mixed = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in later)
        self.last = nn.Conv2d(width, conditions, 1)
        nn.init.zeros_(self.last.weight)
        self.last.bias = nn.Parameter(torch.zeros(conditions))

    @property
    def blocks(self) -> list[tuple[CausalConvolution, nn.Conv2d]]:
        """The residual branches: B_l and R_l, in order."""
        return cast(list[tuple[CausalConvolution, nn.Conv2d]], list(zip(self.causal, self.mixed, strict=True)))

    def forward(self, images: Tensor, conditions: Tensor) -> Tensor:
        """[B channels H W] and [B conditions H W] -> [B conditions H W]."""
        weight = self.last.weight
        images, conditions = images.to(weight.dtype), conditions.to(weight.dtype)
        # Beside the image a map of ones, which tells a black pixel from the outside of the image.
        hidden = self.first(torch.cat([images, torch.ones_like(images[:, :1])], 1)) + self.condition(conditions)
        for causal, mixed in self.blocks:
            hidden = hidden + mixed(elu(causal(elu(hidden))))
        return self.last(elu(hidden))


class CausalCache:
    """The maps of a network for images that grow pixel by pixel, in raster order: each step computes one pixel's alone.

    `step` gives the same as the network's `forward` at that pixel on the pixels so far.

    Args:
        network: whose outputs are wanted.
        conditions: [B conditions H W].
        channels: of the images.
    """

    def __init__(self, network: CausalNetwork, conditions: Tensor, channels: int) -> None:
        self.network = network
        conditions = conditions.to(network.last.weight.dtype)
        batch, _, height, width = conditions.shape
        self.condition = network.condition(conditions)
        self.image = pad(conditions.new_zeros(batch, channels + 1, height, width), (FIRST // 2,) * 4)
        inside = slice(FIRST // 2, -(FIRST // 2))
        self.image[:, -1, inside, inside] = 1
        size = (batch, self.condition.shape[1], height + LATER - 1, width + LATER - 1)
        self.maps = [conditions.new_zeros(size) for _ in network.blocks]

    def step(self, row: int, column: int) -> Tensor:
        """The outputs [B conditions] of the next pixel, all before it being there."""
        network, centre = self.network, LATER // 2
        hidden = network.first.at(self.image, row, column) + self.condition[:, :, row, column]
        for (causal, mixed), maps in zip(network.blocks, self.maps, strict=True):
            maps[:, :, row + centre, column + centre] = elu(hidden)
            hidden = hidden + linear(elu(causal.at(maps, row, column)), mixed.weight.flatten(1), mixed.bias)
        return linear(elu(hidden), network.last.weight.flatten(1), network.last.bias)

    def put(self, row: int, column: int, values: Tensor) -> None:
        """Make a pixel known, [B channels]."""
        self.image[:, :-1, row + FIRST // 2, column + FIRST // 2] = values
