"""A network that tells images from reconstructions, patch by patch."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["SMALLEST", "PatchDiscriminator", "hinge_loss"]

SMALLEST = 16
"""Pixels of the shorter side below which there are no patches to tell apart."""
WIDTH, WIDEST = 64, 256
HALVINGS = {16: 1, 32: 2, 64: 3}
"""How often images of at least so many pixels are halved: a score sees 16, 34 or 70 pixels across."""


class PatchDiscriminator(nn.Module):
    """Scores of overlapping patches, above 0 for images: [B C H W] in [-1, 1] -> [B 1 h w].

    Strided 4x4 convolutions and leaky rectifiers (Isola et al., 2017), every weight divided by its largest singular
    value (Miyato et al., 2018), which bounds how fast scores change with pixels, without a norm over the batch.

    Args:
        image_shape: (C, H, W), sides of at least 16 pixels.

    >>> PatchDiscriminator((3, 32, 32))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 1, 6, 6])
    """

    def __init__(self, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, *size = image_shape
        halvings = max(HALVINGS[least] for least in HALVINGS if min(size) >= least)
        widths = [channels, *(min(WIDTH * 2**level, WIDEST) for level in range(halvings + 1))]
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(itertools.pairwise(widths)):
            stride = 2 if level < halvings else 1
            layers += [spectral_norm(nn.Conv2d(before, after, 4, stride, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(widths[-1], 1, 4, 1, 1)))

    def forward(self, images: Tensor) -> Tensor:
        # Here the switch is the innermost: what shares gradients puts another around every call.
        with torch.autocast(images.device.type, enabled=False):
            return self.layers(images.float())


def hinge_loss(images: Tensor, reconstructions: Tensor) -> Tensor:
    """mean max(0, 1 - D(x)) + mean max(0, 1 + D(x')), the discriminator's loss, of its scores.

    >>> hinge_loss(torch.tensor([2.0, 0.0]), torch.tensor([-3.0, -1.0]))
    tensor(0.5000)
    """
    return relu(1 - images).mean() + relu(1 + reconstructions).mean()
