"""The network of a flow-matching prior over small codes, and the choice between it and the one over maps."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn.functional import silu

from spatialvae.priors.flow.coupling import seen_flat
from spatialvae.priors.flow_matching.conditioning import FREQUENCIES, GROUPS, Conditioning, modulated
from spatialvae.priors.flow_matching.unet import VelocityUNet

__all__ = ["VelocityNetwork", "velocity_network"]

FLAT_WIDTH, FLAT_BLOCKS = 512, 4
UNET_WIDTH, UNET_BLOCKS = 64, 2


def velocity_network(
    event_shape: tuple[int, int, int], *, classes: int, width: int | None = None, blocks: int | None = None
) -> nn.Module:
    """Linear layers over the flattened code for maps of at most 16 sites, else a U-Net over the maps.

    >>> type(velocity_network((128, 3, 3), classes=0)).__name__, type(velocity_network((4, 8, 8), classes=0)).__name__
    ('VelocityNetwork', 'VelocityUNet')
    """
    if seen_flat(event_shape):
        return VelocityNetwork(event_shape, classes=classes, width=width or FLAT_WIDTH, blocks=blocks or FLAT_BLOCKS)
    return VelocityUNet(event_shape, classes=classes, width=width or UNET_WIDTH, blocks=blocks or UNET_BLOCKS)


class VelocityNetwork(nn.Module):
    """g(u, t, label): the velocity beyond that of a standard normal, 0 at the start.

    Residual blocks of linear layers over all numbers of a code, with the time and the label as scales and shifts.

    Args:
        event_shape: (maps, height, width).
        classes: how many labels there are, 0 for none.
        width: hidden numbers.
        blocks: residual blocks.

    >>> import torch
    >>> network = VelocityNetwork((2, 3, 3), classes=10, width=16, blocks=2)
    >>> network(torch.randn(5, 2, 3, 3), torch.rand(5), None).abs().max().item()
    0.0
    """

    def __init__(self, event_shape: tuple[int, int, int], *, classes: int, width: int, blocks: int) -> None:
        super().__init__()
        numbers, known = math.prod(event_shape), min(width, 4 * FREQUENCIES)
        self.known = Conditioning(classes=classes, width=known)
        self.first = nn.Linear(numbers, width)
        self.blocks = nn.ModuleList(_Block(width, known) for _ in range(blocks))
        self.norm, self.last = nn.GroupNorm(GROUPS, width), nn.Linear(width, numbers)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, codes: Tensor, time: Tensor, labels: Tensor | None) -> Tensor:
        """g for codes of unit variance [B, maps, h, w], times [B] in [0, 1] and labels [B], `classes` meaning none."""
        known, hidden = self.known(time, labels), self.first(codes.flatten(1))
        for block in self.blocks:
            hidden = block(hidden, known)
        return self.last(silu(self.norm(hidden))).reshape(codes.shape)


class _Block(nn.Module):
    """x + B silu(scale * A silu(norm(x)) + shift), the scale near 1 and both functions of what is known."""

    def __init__(self, width: int, known: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)
        self.modulation = nn.Linear(known, 2 * width)

    def forward(self, hidden: Tensor, known: Tensor) -> Tensor:
        inner = self.inner(silu(self.norm(hidden)))
        return hidden + self.outer(silu(modulated(inner, self.modulation(known))))
