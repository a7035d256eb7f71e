"""How far a picture is from its reconstruction: squared error, PSNR, SSIM, one value an image."""

from __future__ import annotations

import torch
from torch import Tensor

from spatialvae.globals import globals_kept

__all__ = ["mean_squared_error", "peak_signal_to_noise", "structural_similarity"]

SMALLEST_ERROR = 1e-10


def mean_squared_error(images: Tensor, others: Tensor) -> Tensor:
    """Mean over pixels of the squared difference, pixels in [0, 1]; uint8 [B C H W] -> [B].

    >>> mean_squared_error(torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.full((1, 1, 8, 8), 51, dtype=torch.uint8))
    tensor([0.0400], dtype=torch.float64)
    """
    return ((images.double() - others.double()) / 255).square().mean((1, 2, 3))


def peak_signal_to_noise(images: Tensor, others: Tensor) -> Tensor:
    """-10 log10(mean squared error), decibels; at most 100 for equal images; uint8 [B C H W] -> [B]."""
    return -10 * mean_squared_error(images, others).clamp(min=SMALLEST_ERROR).log10()


def structural_similarity(images: Tensor, others: Tensor) -> Tensor:
    """SSIM (Wang et al., 2004) by torchmetrics, 1 for equal images; uint8 [B C H W] -> [B].

    The Gaussian window has sigma 1.5 (11 pixels wide), as in the paper; 0.5 (5 wide) for sides under 16.
    """
    with globals_kept():
        from torchmetrics.functional.image import structural_similarity_index_measure

    sigma = 1.5 if min(images.shape[-2:]) >= 16 else 0.5
    pair = (others.float() / 255, images.float() / 255)
    values = structural_similarity_index_measure(*pair, sigma=sigma, data_range=1.0, reduction="none")
    return torch.as_tensor(values).reshape(len(images))
