"""Images as vectors that a covariance fits: whole where they are small, else cut into equal tiles."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["MOST", "Tiles"]

MOST = 4096
"""Numbers of the longest vector whose covariance is taken."""


@dataclass(frozen=True)
class Tiles:
    """Images [C, H, W] cut into equal tiles of all channels.

    >>> Tiles.of(3, 64, 64)
    Tiles(channels=3, height=64, width=64, tile_height=32, tile_width=32)
    >>> (Tiles.of(3, 32, 32).count, Tiles.of(3, 32, 32).size), (Tiles.of(3, 64, 48).count, Tiles.of(3, 64, 48).size)
    ((1, 3072), (3, 3072))
    """

    channels: int
    height: int
    width: int
    tile_height: int
    tile_width: int

    @classmethod
    def of(cls, channels: int, height: int, width: int) -> Tiles:
        """The fewest equal tiles of at most `MOST` numbers, the squarest of these: one where the image is no larger."""
        sides = [
            (down, across)
            for down in range(1, height + 1)
            for across in range(1, width + 1)
            if height % down == 0 and width % across == 0 and channels * down * across <= MOST
        ]
        down, across = max(sides, key=lambda side: (side[0] * side[1], -abs(side[0] - side[1]), side))
        return cls(channels, height, width, down, across)

    @property
    def count(self) -> int:
        """Tiles of an image."""
        return (self.height // self.tile_height) * (self.width // self.tile_width)

    @property
    def size(self) -> int:
        """Numbers of a tile."""
        return self.channels * self.tile_height * self.tile_width

    @property
    def dimensions(self) -> int:
        """Numbers of an image."""
        return self.count * self.size

    def cut(self, images: Tensor) -> Tensor:
        """The tiles as vectors, row by row: [B C H W] -> [B, count, size].

        >>> import torch
        >>> image = torch.arange(8).reshape(1, 1, 2, 4)
        >>> Tiles(1, 2, 4, 2, 2).cut(image)[0].tolist()
        [[0, 1, 4, 5], [2, 3, 6, 7]]
        """
        down, across = self.height // self.tile_height, self.width // self.tile_width
        parts = images.reshape(-1, self.channels, down, self.tile_height, across, self.tile_width)
        return parts.permute(0, 2, 4, 1, 3, 5).reshape(-1, self.count, self.size)
