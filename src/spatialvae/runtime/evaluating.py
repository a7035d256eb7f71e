"""A module's evaluation mode for as long as a block of code runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

__all__ = ["evaluating"]


class HasModes(Protocol):
    """What has a training mode and an evaluation mode, such as an `nn.Module`."""

    training: bool

    def train(self, mode: bool = True) -> Any:
        """Switch to the training mode, or with False to the evaluation mode."""
        ...


@contextmanager
def evaluating(model: HasModes) -> Iterator[None]:
    """Dropout is off and batch norm uses its running statistics inside; the earlier mode returns afterwards.

    >>> import torch
    >>> layer = torch.nn.Dropout()
    >>> with evaluating(layer):
    ...     inside = layer.training
    >>> inside, layer.training
    (False, True)
    """
    before = model.training
    model.train(False)
    try:
        yield
    finally:
        model.train(before)
