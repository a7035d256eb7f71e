"""What p(z) can be: the table of families by name, and the modules that fitting one of them gives."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from spatialvae.errors import UserError
from spatialvae.latents import AbstractLatent
from spatialvae.priors.code_distribution import AbstractCodeDistribution
from spatialvae.priors.codes import Codes
from spatialvae.priors.labels import Labels
from spatialvae.priors.solver import Solver
from spatialvae.registry import Registry

__all__ = [
    "PRIORS",
    "AbstractDirectFamily",
    "AbstractFamily",
    "AbstractFittedFamily",
    "AbstractModelFamily",
    "AbstractPrior",
]


class AbstractPrior(nn.Module, ABC):
    """A prior that was fitted after training: a module that gives distributions over codes.

    Its numbers are buffers and submodules, so that `to`, `double` and `state_dict` work as for any module; the
    `state_dict` is what its file holds. Calling it gives p(z), or p(z | label), with the temperature of choice.

    Args:
        family: what it was fitted as.
        event_shape: (maps, height, width) of a code.
    """

    scored: ClassVar[int] = 2000
    """Codes whose density is worth the time when the prior has been fitted."""
    takes_steps: ClassVar[bool] = False
    """Whether its draws are made in steps, of which one can choose the number."""

    def __init__(self, family: AbstractFittedFamily, event_shape: torch.Size | tuple[int, ...]) -> None:
        super().__init__()
        self.family = family
        self.event_shape = torch.Size(event_shape)
        self.labels = Labels()
        """The classes that it can be asked for; none where it knows no labels."""

    def forward(
        self,
        label: int | str | None = None,
        temperature: float = 1.0,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> AbstractCodeDistribution:
        """The distribution to draw codes from: batch [], event [maps, height, width].

        Args:
            label: the class of this name, else of this number; default: all classes.
            temperature: scales the standard deviation of the Gaussian noise that draws are made of.
            steps: of a flow-matching prior's equation; default: the prior's own.

            guidance: how strongly a label pulls; without a label, each draw gets a class, as often as the class is
                among the images. Default: the label as it is, and without one the network of all codes.

        Raises:
            UserError: a label, a temperature, steps or guidance that the prior does not take.
        """
        number = None if label is None else self.class_of(label)
        if not 0 <= temperature < math.inf:
            raise UserError(f"`temperature` {temperature} is not possible: it should be a finite number from 0 on.")
        if steps is not None and not self.takes_steps:
            raise UserError(f"`steps` {steps} is for flow-matching: draws from {self.family.spelled} take no steps.")
        if guidance is not None and not (self.takes_steps and self.labels):
            why = "it knows no labels" if self.takes_steps else f"draws from {self.family.spelled} take none"
            raise UserError(f"`guidance` {guidance:g} is for flow-matching with labels: {why}.")
        return self.distribution(number, temperature, Solver(steps, guidance))

    @abstractmethod
    def distribution(self, label: int | None, temperature: float, solver: Solver) -> AbstractCodeDistribution:
        """What `forward` gives, of arguments that were checked: `label` is the number of a class."""

    def class_of(self, label: int | str) -> int:
        """The number of the class `label`, given by name or number.

        Raises:
            UserError: the prior knows no labels, or not this one.
        """
        if not self.labels:
            raise UserError(f"The prior {self.family.spelled} knows no labels: leave `label` out.")
        return self.labels.index(label)

    @property
    def classes(self) -> int:
        """How many labels it can be asked for; 0 where it knows none."""
        return len(self.labels)

    def name_classes(self, labels: Labels) -> None:
        """Call its classes as in `labels`; a prior that knows none stays as it is.

        Raises:
            UserError: another number of classes.
        """
        if self.classes and len(labels) != self.classes:
            raise UserError(f"it knows {self.classes} classes, and {len(labels)} have names")
        self.labels = labels if self.classes else self.labels


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
