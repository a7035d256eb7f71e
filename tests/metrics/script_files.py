"""Tiny TorchScript files of every convention that feature and perceptual networks come in."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn


def saved(module: nn.Module, path: Path) -> Path:
    """`module`, compiled and written to `path`."""
    with warnings.catch_warnings():
        # The library only loads TorchScript, so that making it is the tests' business alone.
        warnings.filterwarnings("ignore", r"`torch\.jit\.(script|save)` is ", DeprecationWarning)
        torch.jit.save(torch.jit.script(module), path)
    return path


class MeanColour(nn.Module):
    """uint8 [B 3 H W] of any size -> [B 3]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float().mean((2, 3))


class OneSize(nn.Module):
    """Images of side x side alone, flattened."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        return x.float().reshape(len(x), 3 * self.side * self.side)


class Asserts(nn.Module):
    """Says by an assertion which size it wants, and no more than that many images."""

    def __init__(self, side: int, most: int = 1000) -> None:
        super().__init__()
        self.side, self.most = side, most

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2] == self.side and x.shape[3] == self.side, "wrong size"
        assert x.shape[0] <= self.most, "too many"
        return x.float().mean((2, 3))


class AssertsPairs(nn.Module):
    """Two images of 64x64 alone, by an assertion."""

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        assert one.shape[2] == 64, "wrong size"
        return (one - other).square().mean((1, 2, 3))


class Published(nn.Module):
    """The published Inception's arguments: features on request, else class scores."""

    def forward(self, img: Tensor, return_features: bool = False, use_fp16: bool = False) -> Tensor:
        colours = img.float().mean((2, 3))
        if return_features:
            return colours
        return colours[:, :1]


class Dropping(nn.Module):
    """Puts out zeros unless it is in eval mode."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float().mean((2, 3)) * (0.0 if self.training else 1.0)


class FloatsOnly(nn.Module):
    """A convolution, which uint8 images do not go through."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).mean((2, 3))


class WithPlaces(nn.Module):
    """Features that keep their places: [B 3 H W]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float()


class Summed(nn.Module):
    """Features without images: [3]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float().mean((0, 2, 3))


class Pairs(nn.Module):
    """Two outputs."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.float().mean((2, 3)), x.float().mean((2, 3))


class Divided(nn.Module):
    """Not a number for black images, but for the two that it is tried on."""

    def forward(self, x: Tensor) -> Tensor:
        means = x.float().mean((2, 3))
        return means / means


class Counts(nn.Module):
    """Whole numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return x.long().sum((2, 3))


class Vectors(nn.Module):
    """StyleGAN's VGG16: vectors whose squared difference is the distance; wants 0 to 255 at the images' own size."""

    def forward(self, img: Tensor, resize_images: bool = True, return_lpips: bool = False) -> Tensor:
        if resize_images or not return_lpips or not img.is_floating_point():
            return torch.zeros(len(img), 2)
        return (img / 10).flatten(1)


class TwoImages(nn.Module):
    """The convention of the LPIPS authors: images of -1 to 1, distances [B 1 1 1]."""

    def forward(self, in0: Tensor, in1: Tensor, normalize: bool = False) -> Tensor:
        if normalize or in0.min() < -1 or in0.max() > 1:
            return torch.zeros(len(in0), 1, 1, 1)
        return (in0 - in1).square().mean((1, 2, 3), keepdim=True)


class NotFinite(nn.Module):
    """Two images in, infinity out."""

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        return (one - other).mean((1, 2, 3)) + float("inf")
