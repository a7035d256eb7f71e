"""What a velocity network knows beside the code: the time and the label, as one vector."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["GROUPS", "Conditioning", "modulated"]

FREQUENCIES = 32
LARGEST_FREQUENCY = 100.0
GROUPS = 8
"""Of the group norms; widths are multiples of it."""


class Conditioning(nn.Module):
    """silu(A silu(B [cos, sin](t f)) + label): [B, width] of times [B] in [0, 1] and labels [B].

    Args:
        classes: how many labels there are, 0 for none; the label `classes` means none.
        width: of the vector.

    >>> Conditioning(classes=10, width=16)(torch.rand(5), None).shape
    torch.Size([5, 16])
    """

    frequencies: Tensor

    def __init__(self, *, classes: int, width: int) -> None:
        super().__init__()
        self.classes = classes
        self.time = nn.Sequential(nn.Linear(2 * FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))
        self.labels = nn.Embedding(classes + 1, width) if classes else None  # the last row: no label
        frequencies = torch.linspace(0, math.log(LARGEST_FREQUENCY), FREQUENCIES).exp()
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, time: Tensor, labels: Tensor | None) -> Tensor:
        angles = time[:, None] * self.frequencies
        known = self.time(torch.cat([angles.cos(), angles.sin()], 1))
        if self.labels is not None:
            none = torch.full((len(time),), self.classes, device=time.device)
            known = known + self.labels(none if labels is None else labels)
        return nn.functional.silu(known)


def modulated(hidden: Tensor, parameters: Tensor) -> Tensor:
    """(1 + scale) h + shift, the scale and the shift [B, C] of each channel of h [B, C, ...] in one vector [B, 2C]."""
    shape = (len(parameters), -1, *([1] * (hidden.dim() - 2)))
    scale, shift = (part.reshape(shape) for part in parameters.chunk(2, 1))
    return (1 + scale) * hidden + shift
