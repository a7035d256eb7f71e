"""The paper's convolutional stacks, and their generalisation to any image and any map size.

The authors fix one pair of stacks, for 64x64 images and maps of 3x3:

    encoder   64 -> 32 -> 16 -> 6, channels 32, 64, 128, flattened to 4608 features
    decoder   3 -> 6 -> 8 | -> 16 -> 32 -> 64, channels 64, 32 | 32, 16, 3        (spatial)
              1 -> 3 -> 6 -> 8 | -> 16 -> 32 -> 64, stem widths of its own         (vector)

The part of the decoder before the bar is the *stem*: it ends at the *join*, the first map that all latents of a
comparison have in common; after it every latent uses the same *trunk*. At 32x32 the same rules give four encoder
layers and four or five decoder layers, which is what the paper names for CIFAR-10.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from spatialvae.networks.base import NETWORKS, AbstractNetworks
from spatialvae.networks.folding import folded, with_subpixels
from spatialvae.networks.layers import Size, down, kernel_size, up
from spatialvae.networks.shapes import Shape

__all__ = ["PaperDecoder", "PaperEncoder", "PaperNetworks", "join_size", "stem_sizes"]

DROPOUT = 0.1  # the authors keep 0.9
JOIN_CHANNELS = 32
SMALLEST_JOIN = 7
AUTHORS_VECTOR_STEM = (64, 48)


@NETWORKS.register("paper")
@dataclass(frozen=True)
class PaperNetworks(AbstractNetworks):
    """The paper's stacks, for images and maps of any size.

    >>> networks = PaperNetworks(stem="authors")
    >>> networks.decoder((81, 1, 1), (3, 64, 64), (64, 3, 3)).stem[0][0].out_channels
    64

    Args:
        stem: of a decoder whose code has another shape than the grid, such as the vector's: with as many parameters
            as the grid's decoder (``matched``), or of the authors' 64 and 48 channels.
    """

    stem: Literal["matched", "authors"] = "matched"

    def encoder(self, image_shape: Shape, code_shape: Shape, grid: Shape) -> PaperEncoder:
        return PaperEncoder(image_shape[0], image_shape[1:])

    def decoder(self, code_shape: Shape, output_shape: Shape, grid: Shape) -> PaperDecoder:
        authors = self.stem == "authors" and code_shape != grid
        widths = AUTHORS_VECTOR_STEM if authors else None
        return PaperDecoder(code_shape, output_shape[0], output_shape[1:], reference=grid, widths=widths)


class PaperEncoder(nn.Module):
    """Images [B C H W] -> features [B F h w]: 5x5 convolutions of stride 2, batch norm and ELU, dropout.

    From 48 pixels a side on: the CelebA stack (three layers at 64x64, the last without padding), one more layer each
    time the side doubles. Below: the CIFAR-10 stack of four layers, the last of stride 1.

    >>> from spatialvae.networks import feature_shape
    >>> feature_shape(PaperEncoder(3, (64, 64)), (3, 64, 64)), feature_shape(PaperEncoder(3, (32, 32)), (3, 32, 32))
    ((128, 6, 6), (128, 4, 4))
    """

    def __init__(self, channels: int, image_size: Size) -> None:
        super().__init__()
        side = max(image_size)
        layers: list[nn.Module] = []
        size, width_in = image_size, channels
        if side >= 48:
            halvings = max(2, round(math.log2(side / 16)))
            plan = [(5, 2, True, min(32 * 2**i, 128)) for i in range(halvings)] + [(5, 2, False, 128)]
        else:
            plan = [(5, 2, True, 32), (5, 2, True, 64), (3, 2, True, 128), (3, 1, True, 128)]
        for kernel, stride, padded, width in plan:
            layer, size = down(width_in, width, size, kernel, stride, padded)
            layers.append(layer)
            width_in = width
        self.layers = nn.Sequential(*layers, nn.Dropout(DROPOUT))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class PaperDecoder(nn.Module):
    """Codes [B N d_h d_w] -> pixels before the likelihood's own squashing [B C H W].

    Args:
        code: (maps, height, width) of the latent.
        channels: of the images.
        image_size: (height, width) of the images.
        reference: (maps, height, width) whose stem the parameter count follows; the stem widths of a code of any
            other shape are chosen so that the whole decoder has as many parameters as the reference's
            (within 5 %). Without it the code is its own reference.
        widths: the stem's widths, for those who want the authors' own: (64, 48) for the vector stem.
    """

    def __init__(
        self,
        code: tuple[int, int, int],
        channels: int,
        image_size: Size,
        *,
        reference: tuple[int, int, int] | None = None,
        widths: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        reference = code if reference is None else reference
        join = join_size(image_size, reference[1:])
        sizes = stem_sizes(code[1:], join)
        if widths is None:
            widths = matched_widths(code, sizes, reference, stem_sizes(reference[1:], join))
        stem = [code[0], *widths, JOIN_CHANNELS]
        pairs = zip(pairwise(stem), pairwise(sizes), strict=True)
        self.stem = nn.Sequential(*(up(w_in, w_out, a, b, kernel=3) for (w_in, w_out), (a, b) in pairs))
        self.trunk = nn.Sequential(*trunk(channels, join, image_size))

    def forward(self, codes: Tensor) -> Tensor:
        return self.trunk(self.stem(codes))

    def fast(self) -> nn.Sequential:
        """The same function as one chain for inference: batch norms are folded, and sub-pixel forms serve a CPU."""
        chain = folded(self)
        return with_subpixels(chain) if next(self.parameters()).device.type == "cpu" else chain


def trunk(channels: int, join: Size, image_size: Size) -> list[nn.Module]:
    """The layers from the join to the image: 5x5 transposed convolutions, each doubling the map."""
    sizes = [image_size]
    while sizes[0] != join:
        h, w = sizes[0]
        sizes.insert(0, (h if h == join[0] else -(-h // 2), w if w == join[1] else -(-w // 2)))
    if len(sizes) == 1:  # an image as small as the join still needs its output layer
        sizes = [join, join]
    count = len(sizes) - 1
    widths = [JOIN_CHANNELS] * (count - 2) + [16] * (count > 1) + [channels]
    pairs = zip(pairwise([JOIN_CHANNELS, *widths]), pairwise(sizes), strict=True)
    layers = [up(w_in, w_out, a, b, kernel=5, activation=False) for (w_in, w_out), (a, b) in pairs]
    return [module for layer in layers for module in (layer, nn.ELU())][:-1]


def join_size(image_size: Size, map_size: tuple[int, ...]) -> Size:
    """The map at which all latents of a comparison meet: the image halved while it stays at least 7 and the map size.

    >>> join_size((64, 64), (3, 3)), join_size((28, 48), (3, 3)), join_size((64, 64), (12, 12))
    ((8, 8), (7, 12), (16, 16))
    """

    def halved(side: int, smallest: int) -> int:
        while -(-side // 2) >= smallest:
            side = -(-side // 2)
        return side

    h, w = (halved(side, max(SMALLEST_JOIN, least)) for side, least in zip(image_size, map_size, strict=True))
    return (h, w)


def stem_sizes(map_size: tuple[int, ...], join: Size) -> list[Size]:
    """The map sizes of a stem, from the code to the join: a 1 becomes 3, then doubling, then steps of two and one.

    >>> stem_sizes((3, 3), (8, 8))
    [(3, 3), (6, 6), (8, 8)]
    >>> stem_sizes((1, 1), (8, 8))
    [(1, 1), (3, 3), (6, 6), (8, 8)]
    """

    def path(side: int, goal: int) -> list[int]:
        sides = [side]
        while sides[-1] != goal:
            last = sides[-1]
            if last == 1:
                sides.append(min(3, goal))
            elif 2 * last <= goal:
                sides.append(2 * last)
            else:
                sides.append(min(last + 2, goal))
        return sides

    rows, columns = (path(side, goal) for side, goal in zip(map_size, join, strict=True))
    count = max(len(rows), len(columns), 2)
    rows += [join[0]] * (count - len(rows))
    columns += [join[1]] * (count - len(columns))
    return list(zip(rows, columns, strict=True))


def matched_widths(
    code: tuple[int, int, int],
    sizes: list[Size],
    reference: tuple[int, int, int],
    reference_sizes: list[Size],
) -> tuple[int, ...]:
    """Stem widths that give a code of any shape as many stem parameters as the reference has with the paper's 64.

    The widths fall from the code to the join in the ratio of the authors' vector stem, 64 : 48.
    """
    hidden = len(sizes) - 2
    if code == reference or hidden == 0:
        return (64,) * hidden
    goal = stem_parameters([reference[0], *(64,) * (len(reference_sizes) - 2), JOIN_CHANNELS], reference_sizes)
    candidates = (
        (first, *(max(1, round(0.75**i * first) + shift) for i in range(1, hidden)))
        for first in range(1, 513)
        for shift in range(-2, 3)
    )
    return min(candidates, key=lambda widths: abs(stem_parameters([code[0], *widths, JOIN_CHANNELS], sizes) - goal))


def stem_parameters(widths: list[int], sizes: list[Size]) -> int:
    """Parameters of a stem with batch norm: (kernel area) in out + 2 out a layer."""
    areas = (math.prod(kernel_size(a, b, 3)) for a, b in pairwise(sizes))
    return sum(area * w_in * w_out + 2 * w_out for area, (w_in, w_out) in zip(areas, pairwise(widths), strict=True))
