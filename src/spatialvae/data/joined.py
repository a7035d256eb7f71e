"""Several arrays of images read as one, in an order across them, without a copy of them all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["JoinedImages"]


@dataclass(frozen=True, eq=False)
class JoinedImages:
    """`parts`, uint8 [N_i, C, H, W] each, as one set: image k is the `order[k]`-th of the parts one after the other.

    >>> parts = tuple(np.full((2, 1, 8, 8), value, np.uint8) for value in (3, 7))
    >>> JoinedImages(parts, np.array([2, 0, 3, 1])).take(np.array([0, 1]))[:, 0, 0, 0]
    array([7, 3], dtype=uint8)
    """

    parts: tuple[npt.NDArray[np.uint8], ...]
    order: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.order)

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, C, H, W]."""
        return (len(self.order), *self.parts[0].shape[1:])

    def take(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Copy the images at `indices` [B], in that order: uint8 [B, C, H, W]; `IndexError` outside 0..N-1."""
        places = self.order[indices]
        images = np.empty((len(places), *self.shape[1:]), np.uint8)
        start = 0
        for part in self.parts:
            here = (places >= start) & (places < start + len(part))
            images[here] = part[places[here] - start]
            start += len(part)
        return images
