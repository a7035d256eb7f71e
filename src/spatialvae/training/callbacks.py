"""Code of one's own that training calls: after every step, after every validation, and at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from torch import nn

from spatialvae.errors import UserError

__all__ = ["Callback", "Callbacks", "StopTraining", "TrainingEvent", "check_callbacks"]


class StopTraining(Exception):
    """A callback raises it to end training here, as though the run were complete.

    The state is stored, validated and finished as after the last step. The same command goes on from there.
    """


@dataclass(frozen=True)
class TrainingEvent:
    """Where training stands when it calls a callback.

    Attributes:
        images: how many images the model has seen.
        total: how many it will have seen at the end.
        model: in `on_step` the weights that are trained, in `on_validation` and `on_finish` those that results are
            made with (the average, where there is one).
        folder: the run folder.
    """

    images: int
    total: int
    model: nn.Module
    folder: Path
    read: Callable[[], dict[str, float]] = field(repr=False)
    """Gives `values`."""

    @cached_property
    def values(self) -> dict[str, float]:
        """The numbers that the journal has, by its names: nats per image.

        In `on_step` they are means since the journal's last line of training; reading them makes an accelerator wait,
        so read them now and then only. In `on_validation` and `on_finish` they are what was measured on held-out data.
        """
        return self.read()


class Callback:
    """What training calls; a class of one's own inherits from it and overrides what it needs.

    Training stays a function of its settings and images whatever a callback draws at random, as long as it leaves the
    weights alone. In a run of several processes the main one alone calls. An error in a callback ends the run after
    its state was stored, so that the same command goes on from there; `StopTraining` ends it as complete.

    >>> class Losses(Callback):
    ...     def __init__(self) -> None:
    ...         self.losses: list[float] = []
    ...
    ...     def on_step(self, event: TrainingEvent) -> None:
    ...         self.losses.append(event.values["loss"])
    """

    def on_step(self, event: TrainingEvent) -> None:
        """A step was taken; its line of the journal and its checkpoint, if it has any, come after this call."""

    def on_validation(self, event: TrainingEvent) -> None:
        """A checkpoint was stored and validated; `event.values` holds what was measured."""

    def on_finish(self, event: TrainingEvent) -> None:
        """Training is complete and the run folder as it stays; also called where nothing was left to train."""


def check_callbacks(callbacks: Sequence[Callback]) -> None:
    """Refuse what is no list of callbacks.

    Raises:
        UserError: something else than a list of objects of classes that inherit from `Callback`.
    """
    if not isinstance(callbacks, Sequence) or not all(isinstance(one, Callback) for one in callbacks):
        raise UserError(
            f"callbacks={callbacks!r} is not possible: it is a list of objects of classes that inherit from "
            "Callback, for instance callbacks=[Patience()]."
        )


class Callbacks:
    """All callbacks of a run; `stopped` once one of them raised `StopTraining`.

    Args:
        enabled: whether this process calls them.
    """

    def __init__(self, callbacks: Sequence[Callback], *, enabled: bool = True) -> None:
        self.stopped = False
        self.any = bool(callbacks)
        self._called = tuple(callbacks) if enabled else ()

    def on_step(self, event: TrainingEvent) -> None:
        """Call each after a step."""
        self._call([callback.on_step for callback in self._called], event)

    def on_validation(self, event: TrainingEvent) -> None:
        """Call each after a validation."""
        self._call([callback.on_validation for callback in self._called], event)

    def on_finish(self, event: TrainingEvent) -> None:
        """Call each at the end."""
        self._call([callback.on_finish for callback in self._called], event)

    def _call(self, hooks: list[Callable[[TrainingEvent], None]], event: TrainingEvent) -> None:
        for hook in hooks:
            try:
                hook(event)
            except StopTraining:  # the others are called all the same
                self.stopped = True
