"""The network of a diffusion prior: which way a code between noise and data moves."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from spatialvae.priors.flow.coupling import seen_flat

__all__ = ["VelocityNetwork"]

FREQUENCIES = 32
LARGEST_FREQUENCY = 100.0
GROUPS = 8


class VelocityNetwork(nn.Module):
    """g(u, t, label): the velocity beyond that of a standard normal, 0 at the start.

    Residual blocks with the time and the label as scales and shifts: linear layers over the flattened code for maps of
    at most 16 sites, else 3x3 convolutions with an eighth as many channels.

    Args:
        event_shape: (maps, height, width).
        classes: how many labels there are, 0 for none.
        width: hidden numbers.
        blocks: residual blocks.

    >>> network = VelocityNetwork((2, 3, 3), classes=10, width=16, blocks=2)
    >>> network(torch.randn(5, 2, 3, 3), torch.rand(5), None).abs().max().item()
    0.0
    """

    def __init__(self, event_shape: tuple[int, int, int], *, classes: int, width: int, blocks: int) -> None:
        super().__init__()
        maps, height, width_of_map = event_shape
        self.flat = seen_flat(event_shape)
        self.classes = classes
        hidden = width if self.flat else max(GROUPS, width // 8)
        numbers = maps * height * width_of_map if self.flat else maps
        make: Callable[[int, int], nn.Linear | nn.Conv2d] = nn.Linear if self.flat else _convolution
        known = min(width, 4 * FREQUENCIES)
        self.time = nn.Sequential(nn.Linear(2 * FREQUENCIES, known), nn.SiLU(), nn.Linear(known, known))
        self.labels = nn.Embedding(classes + 1, known) if classes else None  # the last row: no label
        self.first = make(numbers, hidden)
        self.blocks = nn.ModuleList(_Block(make, hidden, known) for _ in range(blocks))
        self.norm, self.last = nn.GroupNorm(GROUPS, hidden), make(hidden, numbers)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)
        frequencies = torch.linspace(0, math.log(LARGEST_FREQUENCY), FREQUENCIES).exp()
        self.register_buffer("frequencies", frequencies, persistent=False)

    frequencies: Tensor

    def forward(self, codes: Tensor, time: Tensor, labels: Tensor | None) -> Tensor:
        """g for codes of unit variance [B, maps, h, w], times [B] in [0, 1] and labels [B], `classes` meaning none."""
        angles = time[:, None] * self.frequencies
        known = self.time(torch.cat([angles.cos(), angles.sin()], 1))
        if self.labels is not None:
            none = torch.full((len(codes),), self.classes, device=codes.device)
            known = known + self.labels(none if labels is None else labels)
        known = nn.functional.silu(known)
        hidden = self.first(codes.flatten(1) if self.flat else codes)
        for block in self.blocks:
            hidden = block(hidden, known)
        return self.last(nn.functional.silu(self.norm(hidden))).reshape(codes.shape)


class _Block(nn.Module):
    """x + B silu(scale * A silu(norm(x)) + shift), the scale near 1 and both functions of what is known."""

    def __init__(self, make: Callable[[int, int], nn.Module], width: int, known: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.inner, self.outer = make(width, width), make(width, width)
        self.modulation = nn.Linear(known, 2 * width)

    def forward(self, hidden: Tensor, known: Tensor) -> Tensor:
        inner = self.inner(nn.functional.silu(self.norm(hidden)))
        shape = (len(known), -1, *([1] * (hidden.dim() - 2)))
        scale, shift = (part.reshape(shape) for part in self.modulation(known).chunk(2, 1))
        return hidden + self.outer(nn.functional.silu((1 + scale) * inner + shift))


def _convolution(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1)
