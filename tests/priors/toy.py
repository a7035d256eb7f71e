"""Codes made by hand, in place of a model's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from spatialvae.priors import Labels

__all__ = ["ToyCodes"]


class ToyCodes:
    """Fixed codes [n, maps, h, w], the last tenth held out, with labels where given (-1: none)."""

    def __init__(self, codes: Tensor, labels: Tensor | None = None) -> None:
        count = len(codes) - len(codes) // 10
        self.codes, self.held_out = codes[:count], codes[count:]
        self._labels, self.held_out_labels = (None, None) if labels is None else (labels[:count], labels[count:])
        maps, height, width = codes.shape[1:]
        self.event_shape = (maps, height, width)
        self.labels = Labels()
        if labels is not None:
            names = Labels.numbered(int(labels.max()) + 1).names
            counts = torch.bincount(labels[:count][labels[:count] >= 0], minlength=len(names))
            self.labels = Labels(names, tuple(counts.tolist()))

    def __len__(self) -> int:
        return len(self.codes)

    def batch(self, indices: np.ndarray) -> tuple[Tensor, Tensor | None]:
        which = torch.from_numpy(indices)
        return self.codes[which], None if self._labels is None else self._labels[which]

    def draws(self, *, limit: int | None = None) -> Iterator[tuple[Tensor, Tensor | None]]:
        count = len(self) if limit is None else min(limit, len(self))
        for start in range(0, count, 500):
            yield self.batch(np.arange(start, min(start + 500, count)))

    def means(self) -> Iterator[Tensor]:
        return (self.codes[start : start + 500] for start in range(0, len(self), 500))
