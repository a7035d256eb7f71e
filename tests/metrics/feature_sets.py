"""Sets of features of known distributions, and images for whoever takes features by itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gaussian(n: int, loc: Tensor, root: Tensor, seed: int) -> Tensor:
    """n draws from N(loc, root root^T), float64 [n F]."""
    generator = torch.Generator().manual_seed(seed)
    return loc + torch.randn(n, len(loc), generator=generator, dtype=torch.float64) @ root.mT


def skewed(n: int, dimension: int, seed: int, shift: float = 0.0) -> Tensor:
    """n correlated features that are no Gaussian's, as networks put them out, float32 [n F]."""
    mixing = torch.randn(dimension, dimension, generator=torch.Generator().manual_seed(100))
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(n, dimension, generator=generator) @ mixing / dimension**0.5 + shift).relu() + 0.3


class Pooled(nn.Module):
    """uint8 [B 3 H W] of any size -> [B 12], for torchmetrics, which asks a network for its own features."""

    num_features = 12

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(images.float() / 64, 2).flatten(1)
