"""A module's evaluation mode for as long as a block of code runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

__all__ = ["HasModes", "evaluating"]


class HasModes(Protocol):
    """What has a training mode and an evaluation mode in each of its modules, such as an `nn.Module`."""

    training: bool

    def modules(self) -> Iterator[Any]:
        """This one and all below it."""
        ...

    def train(self, mode: bool = True) -> Any:
        """Switch to the training mode, or with False to the evaluation mode."""
        ...


@contextmanager
def evaluating(model: HasModes) -> Iterator[None]:
    """Dropout is off and batch norm uses its running statistics inside; every module's earlier mode returns.

    >>> import torch
    >>> layer = torch.nn.Dropout()
    >>> with evaluating(layer):
    ...     inside = layer.training
    >>> inside, layer.training
    (False, True)
    """
    modes = [(module, module.training) for module in model.modules()]
    model.train(False)
    try:
        yield
    finally:
        for module, training in modes:  # each by itself: a part may be frozen in the midst of training
            module.training = training
