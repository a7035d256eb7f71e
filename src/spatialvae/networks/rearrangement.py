"""Codes of any map size as maps of one size, and back, without a parameter: numbers move between space and channels."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from spatialvae.networks.layers import Size
from spatialvae.networks.reach import steps_between
from spatialvae.networks.shapes import Shape

__all__ = ["Rearrangement", "depth_to_space", "space_to_depth"]


class Rearrangement(nn.Module):
    """Codes [B N h w] <-> maps [B n H W], for sides whose ratio is a power of two; every side of 1 fits.

    A code with smaller maps gives its channels to space, one with larger maps its cells to channels; zeros fill up
    channels that do not divide. A side such as 3, one less than such a size, is interpolated to 4 first.

    >>> import torch
    >>> vector = Rearrangement.between((130, 1, 1), (8, 8))
    >>> vector.channels, vector(torch.zeros(2, 130, 1, 1)).shape
    (3, torch.Size([2, 3, 8, 8]))
    """

    def __init__(self, maps: int, grown: Size, apart: Size, together: Size) -> None:
        super().__init__()
        self.maps, self.grown, self.apart, self.together = maps, grown, apart, together
        numbers = maps * together[0] * together[1]
        self.channels = -(-numbers // (apart[0] * apart[1]))
        """n, the channels of a code at the lowest resolution."""

    @classmethod
    def between(cls, code: Shape, lowest: Size) -> Self:
        """The one from codes of shape `code` to maps of size `lowest`; ValueError where `steps_between` has none."""
        rows, columns = (steps_between(*sides) for sides in zip(code[1:], lowest, strict=True))
        if rows is None or columns is None:
            raise ValueError(f"no steps lead from maps of {code[1:]} to {lowest}")
        pairs = ((getattr(rows, name), getattr(columns, name)) for name in ("grown", "apart", "together"))
        return cls(code[0], *pairs)

    def forward(self, codes: Tensor) -> Tensor:
        if any(self.grown):
            size = [side + more for side, more in zip(codes.shape[2:], self.grown, strict=True)]
            codes = interpolate(codes, size, mode="bilinear", align_corners=True)
        return depth_to_space(space_to_depth(codes, self.together), self.apart)

    def back(self, maps: Tensor) -> Tensor:
        """The way back, for maps with any channels; sides that were grown stay so.

        A code that was not grown comes back in the first `maps` channels.
        """
        return depth_to_space(space_to_depth(maps, self.apart), self.together)


def space_to_depth(maps: Tensor, block: Size) -> Tensor:
    """[B c (h r) (w s)] -> [B (c r s) h w]: each r x s block of pixels becomes channels."""
    r, s = block
    if r == s == 1:
        return maps
    b, c, h, w = maps.shape
    blocks = maps.reshape(b, c, h // r, r, w // s, s).permute(0, 1, 3, 5, 2, 4)
    return blocks.reshape(b, c * r * s, h // r, w // s)


def depth_to_space(maps: Tensor, block: Size) -> Tensor:
    """[B (c r s) h w] -> [B c (h r) (w s)], the way back; zero channels fill up what does not divide."""
    r, s = block
    if r == s == 1:
        return maps
    b, c, h, w = maps.shape
    if missing := -c % (r * s):
        maps = pad(maps, (0, 0, 0, 0, 0, missing))
    blocks = maps.reshape(b, (c + missing) // (r * s), r, s, h, w).permute(0, 1, 4, 2, 5, 3)
    return blocks.reshape(b, -1, h * r, w * s)
