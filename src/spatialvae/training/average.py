"""An exponential average of the weights, updated by a constant number of launches."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage"]


class WeightAverage(nn.Module):
    """w' <- decay w' + (1 - decay) w after every step, from the first step's weights on; buffers are copied.

    One fused operation for all weights and one for all buffers, and nothing that waits for an accelerator. A checkpoint
    of it has the names of torch's `AveragedModel`.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> average = WeightAverage(model, decay=0.75)
    >>> for value in (4.0, 8.0):
    ...     _ = nn.init.constant_(model.weight, value)
    ...     average.update()
    >>> average.module.weight.item()
    5.0
    """

    n_averaged: Tensor

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__()
        self.module = copy.deepcopy(model)
        self.decay = decay
        # On the CPU, whatever the model's device: it is read every step.
        self.register_buffer("n_averaged", torch.tensor(0, dtype=torch.long))
        self._averaged_weights = _tensors(self.module.parameters()), _tensors(model.parameters())
        self._copied_buffers = _tensors(self.module.buffers()), _tensors(model.buffers())

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights that the model has now."""
        if self.n_averaged.item() == 0:
            torch._foreach_copy_(*self._averaged_weights)  # pyright: ignore[reportPrivateImportUsage]
        else:
            torch._foreach_lerp_(*self._averaged_weights, 1 - self.decay)  # pyright: ignore[reportPrivateImportUsage]
        if self._copied_buffers[0]:
            torch._foreach_copy_(*self._copied_buffers)  # pyright: ignore[reportPrivateImportUsage]
        self.n_averaged += 1


def _tensors(tensors: Iterable[Tensor]) -> list[Tensor]:
    return list(tensors)
