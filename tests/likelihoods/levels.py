"""The 256 values of a pixel on the model's scale, as images of one pixel each."""

from __future__ import annotations

import torch
from torch import Tensor

HALF = 1 / 255
LEVELS = torch.arange(256, dtype=torch.float64) / 127.5 - 1


def pixels(values: Tensor | float) -> Tensor:
    """Values [N] as images [N 1 1 1]; a number as one image, in float64."""
    return torch.as_tensor(values, dtype=torch.float64).reshape(-1, 1, 1, 1)
