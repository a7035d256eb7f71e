"""The network of a flow-matching prior over maps: a U-Net, with attention where the maps are smallest."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention, silu

from spatialvae.priors.flow_matching.conditioning import FREQUENCIES, GROUPS, Conditioning, modulated

__all__ = ["VelocityUNet"]

SMALLEST = 4
"""Maps are halved while both halves are at least this large."""
WIDEST = 4
"""Times the width that channels grow to, by two at each halving."""
HEAD = 32
"""Channels a head of attention has, about."""


class VelocityUNet(nn.Module):
    """g(u, t, label): the velocity beyond that of a standard normal, 0 at the start.

    Residual blocks of 3x3 convolutions at the size of the maps, at half of it with twice the channels, and so on down
    to about 4x4, and back up beside what was there on the way down. Ho et al., "Denoising diffusion probabilistic
    models", 2020, with the time and the label as scales and shifts.

    Args:
        event_shape: (maps, height, width).
        classes: how many labels there are, 0 for none.
        width: channels at the size of the maps.
        blocks: residual blocks on the way down at each size, and as many on the way up.

    >>> network = VelocityUNet((2, 9, 12), classes=10, width=16, blocks=1)
    >>> network.sizes, network(torch.randn(5, 2, 9, 12), torch.rand(5), None).abs().max().item()
    ([(9, 12), (5, 6)], 0.0)
    """

    def __init__(self, event_shape: tuple[int, int, int], *, classes: int, width: int, blocks: int) -> None:
        super().__init__()
        maps, *size = event_shape
        self.sizes = [(size[0], size[1])]
        while min(self.sizes[-1]) >= 2 * SMALLEST:
            height, side = self.sizes[-1]
            self.sizes.append((math.ceil(height / 2), math.ceil(side / 2)))
        widths = [width * min(2**level, WIDEST) for level in range(len(self.sizes))]
        known = 4 * FREQUENCIES
        self.known = Conditioning(classes=classes, width=known)
        self.first = nn.Conv2d(maps, width, 3, padding=1)
        self.down = nn.ModuleList(_Stack(wide, wide, blocks, known, deepest=False) for wide in widths[:-1])
        self.halve = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in itertools.pairwise(widths))
        self.deepest = _Stack(widths[-1], widths[-1], 2 * blocks, known, deepest=True)
        self.rise = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in itertools.pairwise(widths))
        self.up = nn.ModuleList(_Stack(2 * wide, wide, blocks, known, deepest=False) for wide in widths[:-1])
        self.norm, self.last = nn.GroupNorm(GROUPS, width), nn.Conv2d(width, maps, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, codes: Tensor, time: Tensor, labels: Tensor | None) -> Tensor:
        """g for codes of unit variance [B, maps, h, w], times [B] in [0, 1] and labels [B], `classes` meaning none."""
        known, hidden, passed = self.known(time, labels), self.first(codes), list[Tensor]()
        for stack, halve in zip(self.down, self.halve, strict=True):
            passed.append(stack(hidden, known))
            hidden = halve(passed[-1])
        hidden = self.deepest(hidden, known)
        for stack, rise in zip(reversed(self.up), reversed(self.rise), strict=True):
            beside = passed.pop()
            # At the smaller size the 1x1 convolution costs a quarter.
            hidden = interpolate(rise(hidden), beside.shape[2:], mode="nearest")
            hidden = stack(torch.cat([beside, hidden], 1), known)
        return self.last(silu(self.norm(hidden)))


class _Stack(nn.Module):
    """Residual blocks of one size; the deepest have attention behind each."""

    def __init__(self, width_in: int, width: int, blocks: int, known: int, *, deepest: bool) -> None:
        super().__init__()
        widths = [width_in, *[width] * blocks]
        self.blocks = nn.ModuleList(_Block(a, b, known) for a, b in itertools.pairwise(widths))
        self.attention = nn.ModuleList(_Attention(width) if deepest else nn.Identity() for _ in range(blocks))

    def forward(self, hidden: Tensor, known: Tensor) -> Tensor:
        for block, attention in zip(self.blocks, self.attention, strict=True):
            hidden = attention(block(hidden, known))
        return hidden


class _Block(nn.Module):
    """S x + B silu(scale * norm(A silu(norm(x))) + shift), B starting at zero."""

    def __init__(self, width_in: int, width: int, known: int) -> None:
        super().__init__()
        self.norm, self.inner = nn.GroupNorm(GROUPS, width_in), nn.Conv2d(width_in, width, 3, padding=1)
        self.norm_inside, self.outer = nn.GroupNorm(GROUPS, width), nn.Conv2d(width, width, 3, padding=1)
        self.modulation = nn.Linear(known, 2 * width)
        self.skip = nn.Identity() if width_in == width else nn.Conv2d(width_in, width, 1)
        for parameter in self.outer.parameters():
            nn.init.zeros_(parameter)

    def forward(self, hidden: Tensor, known: Tensor) -> Tensor:
        inner = self.norm_inside(self.inner(silu(self.norm(hidden))))
        return self.skip(hidden) + self.outer(silu(modulated(inner, self.modulation(known))))


class _Attention(nn.Module):
    """x + W attention(norm(x)) over all sites, W starting at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // HEAD)
        while width % self.heads:
            self.heads -= 1
        self.norm, self.inner = nn.GroupNorm(1, width), nn.Conv2d(width, 3 * width, 1)
        self.outer = nn.Conv2d(width, width, 1)
        for parameter in self.outer.parameters():
            nn.init.zeros_(parameter)

    def forward(self, maps: Tensor) -> Tensor:
        count, width, *size = maps.shape
        parts = self.inner(self.norm(maps)).reshape(count, 3 * self.heads, width // self.heads, -1).mT
        mixed = scaled_dot_product_attention(*parts.chunk(3, 1))
        return maps + self.outer(mixed.mT.reshape(count, width, *size))
