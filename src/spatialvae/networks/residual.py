"""Residual networks for images of any size: convolutions whose branches start at zero, beside a linear path.

At 32x32 with codes on 8x8 and a width of 64:

    encoder   12 channels at 16x16 -> 32, two blocks -> 64 at 8x8, three blocks, and the code of the linear path
    decoder   64 at 8x8, three blocks -> 32 at 16x16, two blocks -> the image, plus that of the linear path

What is called the lowest resolution, here 8x8, follows from the image, the grid and the options alone. A code of
another shape is rearranged to it, so that decoders that are compared have the same layers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from spatialvae.errors import UserError
from spatialvae.heads import Head
from spatialvae.networks.base import NETWORKS, AbstractNetworks, Start
from spatialvae.networks.layers import Size
from spatialvae.networks.linear_path import PathIn, PathOut, start_paths
from spatialvae.networks.reach import check_reach, lowest_size, most_halvings, nearest_down
from spatialvae.networks.rearrangement import Rearrangement
from spatialvae.networks.residual_layers import (
    Attention,
    Block,
    Norm,
    Resample,
    Stack,
    downsample,
    upsample,
    zeroed,
)
from spatialvae.networks.shapes import Shape
from spatialvae.options import check_options
from spatialvae.sizes import spell_size

__all__ = ["ResidualDecoder", "ResidualEncoder", "ResidualNetworks"]

NARROWEST = 16
"""Channels that no halving of the width goes below, unless the width itself does."""
WIDEST, DEEPEST = 4096, 100
COLOUR_MAPS, GREY_MAPS = {1: 6, 2: 18, 3: 36, 4: 64}, {1: 2, 2: 8, 3: 18, 4: 32}
"""Maps by the number of halvings: of colour, 1/2, 3/8, 3/16 and 1/12 as many numbers as the image has."""


@NETWORKS.register("residual")
@dataclass(frozen=True)
class ResidualNetworks(AbstractNetworks):
    """Residual convolutions, with the PCA of the images' patches as a linear path beside them.

    >>> decoder = ResidualNetworks().decoder((18, 8, 8), (3, 32, 32), (18, 8, 8))
    >>> decoder(torch.zeros(2, 18, 8, 8)).shape, sum(weights.numel() for weights in decoder.parameters())
    (torch.Size([2, 3, 32, 32]), 339036)

    Args:
        width: channels at the lowest resolution, half of them at twice the size, and so on down to 16. Default: 64,
            96 for images of 48 pixels or more, 128 from 96 on.
        depth: residual blocks at the lowest resolution, and one fewer at each larger one.
        down: how often the image is halved; default: until it has the size of the maps of the grid.
        norm: group norm before each activation, or none.
        attention: one layer of self-attention at the lowest resolution.
        resample: pixels shuffled into channels and back, or strided convolutions.
        linear: the linear path, which starts as the PCA of the training images' patches, or none.

    Raises:
        UserError: a width or depth that makes no network.
    """

    width: int | None = None
    depth: int = 3
    down: int | None = None
    norm: Norm = "group"
    attention: bool = False
    resample: Resample = "shuffle"
    linear: Literal["pca", "none"] = "pca"

    head: ClassVar[Head] = "conv"
    likelihood: ClassVar[str] = "gaussian:mean=linear"

    def __post_init__(self) -> None:
        check_options(self)
        for name, least, most in (("width", 1, WIDEST), ("depth", 0, DEEPEST), ("down", 0, 30)):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise UserError(f"{name}={value} is not possible: {name} is a whole number from {least} to {most}.")

    def default_grid(self, image_shape: Shape) -> Shape:
        """Maps a quarter of the image's size up to 47 pixels, an eighth up to 95, a sixteenth above; a half below 16.

        >>> [ResidualNetworks().default_grid((3, side, side)) for side in (32, 64, 128, 256)]
        [(18, 8, 8), (36, 8, 8), (64, 8, 8), (64, 16, 16)]
        """
        channels, *size = image_shape
        down = self._by_size((size[0], size[1]))
        table = COLOUR_MAPS if channels > 2 else GREY_MAPS
        return (table[min(max(down, 1), 4)], *lowest_size((size[0], size[1]), down))

    def check(self, image_shape: Shape, code_shape: Shape, grid: Shape) -> None:
        self.halvings(image_shape[1:], code_shape, grid)

    def encoder(self, image_shape: Shape, code_shape: Shape, grid: Shape) -> ResidualEncoder:
        return ResidualEncoder(self, self.halvings(image_shape[1:], code_shape, grid), image_shape, code_shape)

    def decoder(self, code_shape: Shape, output_shape: Shape, grid: Shape) -> ResidualDecoder:
        return ResidualDecoder(self, self.halvings(output_shape[1:], code_shape, grid), code_shape, output_shape)

    def widths(self, image_size: Size, down: int) -> list[int]:
        """The channels of the maps, from the lowest resolution up.

        >>> ResidualNetworks().widths((32, 32), 2), ResidualNetworks(width=64).widths((256, 256), 4)
        ([64, 32], [64, 32, 16, 16])
        """
        side = max(image_size)
        width = self.width or (64 if side < 48 else 96 if side < 96 else 128)
        return [max(width // 2**level, min(width, NARROWEST)) for level in range(max(down, 1))]

    def halvings(self, image_size: Size, code_shape: Shape, grid: Shape) -> int:
        """How often images are halved down to the lowest resolution.

        Raises:
            UserError: more often than there are pixels for, or maps of a size that no number of halvings leads to.
        """
        most = most_halvings(image_size)
        if self.down is not None and self.down > most:
            raise UserError(
                f"down={self.down} is too large for images of {spell_size(image_size)}: use at most down={most}."
            )
        if self.down is not None:
            down = self.down
        elif grid[1:] == (1, 1):
            down = self._by_size(image_size)
        else:
            check_reach(image_size, grid[1:], range(most + 1), "residual")
            down = nearest_down(image_size, grid[1:]) or 0
        check_reach(image_size, code_shape[1:], range(down, down + 1), "residual")
        return down

    def _by_size(self, image_size: Size) -> int:
        if self.down is not None:
            return self.down
        side = max(image_size)
        return min(most_halvings(image_size), 1 + sum(side >= least for least in (16, 48, 96)))


class ResidualEncoder(nn.Module):
    """Images [B C H W] -> features [B F h w] on the code's own grid, the linear path's code in the first channels."""

    def __init__(self, options: ResidualNetworks, down: int, image_shape: Shape, code_shape: Shape) -> None:
        super().__init__()
        channels, *size = image_shape
        image_size = (size[0], size[1])
        widths = options.widths(image_size, down)[::-1]
        layers: list[nn.Module] = []
        for level, (width_in, width) in enumerate(zip([channels, *widths], widths, strict=False)):
            first = downsample(width_in, width, options.resample) if down else nn.Conv2d(width_in, width, 3, padding=1)
            layers += [first, _stack(options, width, lowest=level == len(widths) - 1)]
        self.layers = nn.Sequential(*layers, nn.SiLU())
        self.multiple = 2**down
        self.arrange = Rearrangement.between(code_shape, lowest_size(image_size, down))
        self.path = PathIn(channels, self.multiple, self.arrange.channels) if options.linear == "pca" else None
        self.codes = 0 if self.path is None else code_shape[0]
        """How many of the first feature channels are a code already."""

    def forward(self, images: Tensor) -> Tensor:
        images = self.padded(images)
        features = self.arrange.back(self.layers(images))
        if self.path is None:
            return features
        return torch.cat([self.arrange.back(self.path(images))[:, : self.codes], features], dim=1)

    def start_from(self, images: Tensor, decoder: nn.Module, means: Sequence[int | None]) -> Start | None:
        """Start the linear path of this and of its decoder from images; nothing where that was done before."""
        path = decoder.path if isinstance(decoder, ResidualDecoder) else None
        if self.path is None or path is None or self.path.is_fitted:
            return None
        pca = start_paths(self.path, path, self.padded(images), means)
        scales = pca.scales(self.arrange.channels).log().reshape(1, -1, 1, 1)
        lowest = [side * more for side, more in zip(self.arrange.apart, self.arrange.together, strict=True)]
        maps = self.arrange.back(scales.expand(-1, -1, *lowest))[0, : self.codes]
        return Start(maps.mean((1, 2)), math.sqrt(pca.noise))

    def padded(self, images: Tensor) -> Tensor:
        """Images whose last row and column are repeated until halving leaves no rest."""
        below, right = (-side % self.multiple for side in images.shape[2:])
        return pad(images, (0, right, 0, below), mode="replicate") if below or right else images


class ResidualDecoder(nn.Module):
    """Codes [B N h w] -> the likelihood's parameters [B O H W]."""

    def __init__(self, options: ResidualNetworks, down: int, code_shape: Shape, output_shape: Shape) -> None:
        super().__init__()
        outputs, *size = output_shape
        self.image_size = (size[0], size[1])
        self.lowest = lowest_size(self.image_size, down)
        self.arrange = Rearrangement.between(code_shape, self.lowest)
        widths = options.widths(self.image_size, down)
        layers: list[nn.Module] = [nn.Conv2d(self.arrange.channels, widths[0], 1), _stack(options, widths[0], True)]
        for width_in, width in itertools.pairwise(widths):
            layers += [upsample(width_in, width, options.resample), _stack(options, width, False)]
        last = upsample(widths[-1], outputs, options.resample) if down else nn.Conv2d(widths[-1], outputs, 3, padding=1)
        # With a path the image starts as the path's own.
        layers += [nn.SiLU(), zeroed(last) if options.linear == "pca" else last]
        self.layers = nn.Sequential(*layers)
        numbers = self.arrange.channels
        self.path = PathOut(numbers, 2**down, outputs) if options.linear == "pca" else None

    def forward(self, codes: Tensor) -> Tensor:
        codes = self.arrange(codes)
        outputs = self.layers(codes)
        if self.path is not None:
            outputs = outputs + self.path(codes)
        if codes.shape[2:] == self.lowest:  # maps of another size make whole images
            return outputs[..., : self.image_size[0], : self.image_size[1]]
        return outputs


def _stack(options: ResidualNetworks, width: int, lowest: bool) -> Stack:
    """The blocks of one resolution."""
    blocks: list[nn.Module] = [Block(width, options.norm) for _ in range(max(0, options.depth - (not lowest)))]
    return Stack(*blocks, *([Attention(width)] if lowest and options.attention else []))
