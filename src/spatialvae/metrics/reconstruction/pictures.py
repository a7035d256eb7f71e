"""How far a picture is from its reconstruction: squared error, PSNR, SSIM, one value an image."""

from __future__ import annotations

from torch import Tensor

from spatialvae.errors import UserError
from spatialvae.globals import globals_kept

__all__ = ["mean_squared_error", "peak_signal_to_noise", "structural_similarity"]

SMALLEST_ERROR = 1e-10
WINDOW, SMALL_WINDOW = (11, 1.5), (5, 0.5)
"""Pixels wide, and sigma."""


def mean_squared_error(images: Tensor, others: Tensor) -> Tensor:
    """Mean over pixels of the squared difference, pixels in [0, 1]; uint8 [B C H W] -> [B].

    >>> import torch
    >>> mean_squared_error(torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.full((1, 1, 8, 8), 51, dtype=torch.uint8))
    tensor([0.0400], dtype=torch.float64)
    """
    return ((images.double() - others.double()) / 255).square().mean((1, 2, 3))


def peak_signal_to_noise(images: Tensor, others: Tensor) -> Tensor:
    """-10 log10(mean squared error), decibels; at most 100 for equal images; uint8 [B C H W] -> [B]."""
    return -10 * mean_squared_error(images, others).clamp(min=SMALLEST_ERROR).log10()


def structural_similarity(images: Tensor, others: Tensor) -> Tensor:
    """SSIM (Wang et al., 2004) by torchmetrics, 1 for equal images; uint8 [B C H W] -> [B], float32.

        (2 m_x m_y + 0.01^2) (2 c_xy + 0.03^2) / ((m_x^2 + m_y^2 + 0.01^2) (v_x + v_y + 0.03^2))

    with means, variances and covariance, pixels in [0, 1], under a Gaussian window, mean over the channels and over all
    places where the window lies within the image, as in the paper. The window is the paper's, 11 wide with sigma 1.5;
    a side under 11 pixels has no place for it, and gets one of 5 with sigma 0.5.

    Raises:
        UserError: a side under 5 pixels.
    """
    side = min(images.shape[-2:])
    if side < SMALL_WINDOW[0]:
        raise UserError(f"SSIM needs sides of {SMALL_WINDOW[0]} pixels or more: these images have one of {side}.")
    with globals_kept():
        from torchmetrics.functional.image import structural_similarity_index_measure
    size, sigma = WINDOW if side >= WINDOW[0] else SMALL_WINDOW
    options = {"sigma": sigma, "data_range": 1.0, "reduction": "none", "return_full_image": True}
    _, places = structural_similarity_index_measure(others.float() / 255, images.float() / 255, **options)
    # torchmetrics goes on past the border with the image's mirror image: at these places the window reaches out of it.
    out = size // 2
    return places[..., out:-out, out:-out].mean((1, 2, 3))
