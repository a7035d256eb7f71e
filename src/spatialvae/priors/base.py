"""What a prior that is fitted after training is: a law over whole codes, and the family that it comes from."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints

from spatialvae.errors import UserError
from spatialvae.latents import AbstractLatent
from spatialvae.priors.codes import Codes
from spatialvae.priors.labels import Labels
from spatialvae.registry import Registry

__all__ = [
    "PRIORS",
    "AbstractDirectFamily",
    "AbstractFamily",
    "AbstractFittedFamily",
    "AbstractModelFamily",
    "AbstractPrior",
]


class AbstractPrior(Distribution, ABC):
    """A law over codes that was fitted after training: batch [], event [maps, height, width]; densities in nats.

    Laws never change: `tempered` and `given_label` return others, which share memory with this one.
    """

    labels: Labels = Labels()
    """The classes that it can be asked for; none where it knows no labels."""
    scored: ClassVar[int] = 2000
    """Codes whose density is worth the time when the prior has been fitted."""

    def __init__(self, family: AbstractFittedFamily, event_shape: torch.Size | tuple[int, ...]) -> None:
        self.family = family
        super().__init__(torch.Size(), torch.Size(event_shape), validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None: factors and networks, which no single constraint says."""
        return {}

    @property
    def support(self) -> constraints.Constraint:  # pyright: ignore[reportIncompatibleVariableOverride]
        """All real codes."""
        return constraints.independent(constraints.real, 3)  # pyright: ignore

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """The mean code, [maps, height, width]; what draws shrink towards at low temperature, where none is known."""

    @abstractmethod
    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        """Draws [*sample_shape, maps, height, width]."""

    @abstractmethod
    def log_prob(self, value: Tensor) -> Tensor:
        """The log-density of codes [*S, maps, height, width] in nats, [*S]."""

    @abstractmethod
    def tempered(self, temperature: float) -> Self:
        """The law with the standard deviation of its Gaussian noise times `temperature`."""

    def with_steps(self, steps: int) -> AbstractPrior:
        """The same law, drawn from in another number of steps.

        Raises:
            UserError: a prior whose draws take no steps.
        """
        raise UserError(f"`steps` {steps} is for diffusion: draws from {self.family.spelled} take no steps.")

    def given_label(self, label: int | str) -> AbstractPrior:
        """The law of the codes of one class, by name or number; overridden by priors that know labels.

        Raises:
            UserError: the prior knows no labels, or not this one.
        """
        self.class_of(label)
        return self

    def class_of(self, label: int | str) -> int:
        """The number of the class `label`; `UserError` as for `given_label`."""
        if not self.labels:
            raise UserError(f"The prior {self.family.spelled} knows no labels: leave `label` out.")
        return self.labels.index(label)

    @property
    def classes(self) -> int:
        """How many labels it can be asked for; 0 where it knows none."""
        return len(self.labels)

    def labelled(self, labels: Labels) -> Self:
        """The same law with its classes called as in `labels`; a law that knows none stays as it is.

        Raises:
            UserError: another number of classes.
        """
        if not self.classes:
            return self
        if len(labels) != self.classes:
            raise UserError(f"it knows {self.classes} classes, and {len(labels)} have names")
        return self._changed(labels=labels)

    def _changed(self, **values: Any) -> Self:
        """The same law with other attributes."""
        other = copy.copy(self)
        for name, value in values.items():
            setattr(other, name, value)
        return other

    def given_cells(self, code: Tensor, known: Tensor) -> Distribution:
        """The law of whole codes that agree with `code` in the cells `known`.

        Args:
            code: [maps, height, width].
            known: bool [height, width].

        Raises:
            UserError: a prior whose conditional law nobody can draw from.
        """
        raise UserError(f"The prior {self.family.spelled} cannot be conditioned on cells: use gaussian or mixture.")

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """All that `AbstractFittedFamily.restore` needs beside the shapes."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """The same law with its numbers on `device`."""


@dataclass(frozen=True)
class AbstractFamily(ABC):
    """A kind of p(z) with its options, the fields of a subclass: what a name such as ``mixture:components=20`` spells.

    A subclass extends one of three: `AbstractModelFamily` (p(z) of the bound, fixed or trained with the model),
    `AbstractDirectFamily` (fitted after training in passes over the codes) or `AbstractTrainedFamily` (a network,
    trained after the model step by step).
    """

    title: ClassVar[str]
    """What draws from it come from, such as "the fitted mixture": reports say "samples from" it."""
    meaning: ClassVar[str]
    """In a few words, for tables."""

    @property
    def name(self) -> str:
        """Its name in `PRIORS`."""
        return self.spelled.partition(":")[0]

    @property
    def spelled(self) -> str:
        """Its text, defaults left out, such as ``mixture:components=20``."""
        return PRIORS.spell(self)


PRIORS: Registry[AbstractFamily] = Registry("prior")
"""Every kind of p(z) by its name on the command line."""


class AbstractModelFamily(AbstractFamily):
    """p(z) of the bound: every model has one, from before its first training step."""

    def check(self, latent: AbstractLatent) -> None:
        """Refuse a model's latent before anything is built.

        Raises:
            UserError: with what would do.
        """
        del latent

    @abstractmethod
    def module(self, latent: AbstractLatent) -> nn.Module | None:
        """A module whose `forward()` is p(z), with batch [] and event [maps, height, width].

        Its parameters are trained with the model's. None is N(0, I), which has none.
        """


class AbstractFittedFamily(AbstractFamily):
    """A kind of prior that is fitted after training: what can be fitted, before any code is seen."""

    def check(self, images: int) -> None:
        """Refuse to be fitted to the codes of so few images.

        Raises:
            UserError: with the most that would do.
        """
        if images < 1:
            raise UserError(f"{self.spelled} cannot be fitted to no codes: the training split is empty.")

    @abstractmethod
    def restore(self, event_shape: tuple[int, int, int], tensors: dict[str, Tensor]) -> AbstractPrior:
        """The prior that `tensors` of a file define.

        Raises:
            UserError: a tensor is missing, or has another shape than this family gives it.
        """


class AbstractDirectFamily(AbstractFittedFamily):
    """A family whose priors are estimated in passes over the codes; the others are trained, step by step."""

    @abstractmethod
    def fit(self, codes: Codes, *, progress: bool = False) -> tuple[AbstractPrior, list[str]]:
        """The prior of this family that suits `codes` best, and notes on the fit; noise is torch's global one.

        Raises:
            UserError: too few codes.
        """
