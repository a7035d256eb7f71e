"""What a prior is fitted to: draws from the posteriors of a split's images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from torch import Tensor

from spatialvae.priors.labels import Labels

__all__ = ["Codes", "MappedCodes"]


class Codes(Protocol):
    """Draws from the aggregate posterior (1/n) sum_i q(z|x_i) of the images that a prior is fitted to."""

    event_shape: tuple[int, int, int]
    labels: Labels
    """The classes of the images; none where no image has a label."""
    held_out: Tensor
    """One draw for each of some other images, [m, maps, height, width]."""

    def __len__(self) -> int:
        """How many images there are."""
        ...

    def draws(self, *, limit: int | None = None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """A fresh draw for every image (or for `limit` drawn ones), in batches: codes [B, *event_shape], labels [B].

        A label is a place in `labels`, or -1 for none.
        """
        ...

    def means(self) -> Iterator[Tensor]:
        """E[z|x] of every image under q(z|x), [B, *event_shape], in the order and the batches of `draws`."""
        ...


class MappedCodes:
    """Other codes with an affine function applied to every draw, [B, *event_shape] -> [B, *other shape of three]."""

    def __init__(self, codes: Codes, function: Callable[[Tensor], Tensor]) -> None:
        self._codes, self._function = codes, function
        self.labels = codes.labels
        self.held_out = function(codes.held_out)
        maps, height, width = self.held_out.shape[1:]
        self.event_shape = (maps, height, width)

    def __len__(self) -> int:
        return len(self._codes)

    def draws(self, *, limit: int | None = None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Those of the other codes, mapped."""
        for drawn, labels in self._codes.draws(limit=limit):
            yield self._function(drawn), labels

    def means(self) -> Iterator[Tensor]:
        """Those of the other codes, mapped."""
        return map(self._function, self._codes.means())
