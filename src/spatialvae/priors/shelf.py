"""The priors that were fitted to a model, by name, and which of them a name means."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

import torch

from spatialvae.errors import UserError, nearest
from spatialvae.priors.base import AbstractFittedFamily, AbstractPrior
from spatialvae.priors.names import names_of, parse_family

__all__ = ["PriorShelf"]


class PriorShelf(MutableMapping[str, AbstractPrior]):
    """The fitted priors of a model by name; its own p(z) and `standard` always exist and are not listed.

    A model moves its shelf to its device, but the priors are no part of its `state_dict` or of its parameters: an
    optimiser of the model leaves them alone, and each has a file of its own.

    Args:
        own: the name of the p(z) in the model's bound, `standard` or `learned`.

    >>> shelf = PriorShelf()
    >>> list(shelf), shelf.default, shelf.resolve()
    ([], 'standard', 'standard')
    >>> shelf.resolve("mixture")
    Traceback (most recent call last):
    spatialvae.errors.UserError: This model has no prior 'mixture' yet, only standard.
    Fit it with fit-prior and prior mixture.
    """

    def __init__(self, own: str = "standard") -> None:
        self.own = own
        self.unusable: dict[str, str] = {}
        """Names of priors that lie beside the model and do not fit it, each with the reason in a sentence."""
        self.chosen: str | None = None
        """The fitted prior that was made the default."""
        self._fitted: dict[str, AbstractPrior] = {}

    @property
    def default(self) -> str:
        """The prior to sample from: the chosen one, else the fitted Gaussian, else the model's own."""
        known = [name for name in (self.chosen, "gaussian") if name in (*self, self.own)]
        return known[0] if known else self.own

    @property
    def names(self) -> list[str]:
        """All that one can draw from: the model's own prior, `standard`, and the fitted ones."""
        return list(dict.fromkeys([self.own, "standard", *self]))

    def resolve(self, name: str | None = None) -> str:
        """The full name of the prior that a user calls `name`; of the default if it is left out.

        An exact name comes first; else a family's bare name, such as ``mixture``, means the one prior of that family,
        such as ``mixture:components=20``.

        Raises:
            UserError: no such prior, or several of that family, with their list.
        """
        name = name or self.default
        if name in ("standard", self.own):
            return name
        spelled = parse_family(name).spelled if self._can_be_fitted(name) else name
        if spelled in self:
            return spelled
        of_family = [fitted for fitted in self if fitted.partition(":")[0] == name]
        if len(of_family) > 1:
            raise UserError(f"Several priors of the family {name} were fitted: choose {' or '.join(of_family)}.")
        if not of_family:
            raise UserError(self._missing(spelled))
        return of_family[0]

    def to(self, device: torch.device | str) -> None:
        """Move every prior to a device; the number formats stay."""
        for prior in self.values():
            prior.to(device)

    def _can_be_fitted(self, name: str) -> bool:
        return name.partition(":")[0] in names_of(AbstractFittedFamily)

    def _missing(self, name: str) -> str:
        """Why there is no prior of this name, and what to do."""
        if name in self.unusable:
            again = name if self._can_be_fitted(name) else " or ".join(names_of(AbstractFittedFamily))
            return f"{self.unusable[name]}\nFit it again with fit-prior and `prior` {again}."
        if self._can_be_fitted(name):
            return (
                f"This model has no prior {name!r} yet, only {', '.join(self.names)}.\n"
                f"Fit it with fit-prior and `prior` {name}."
            )
        return f"This model has no prior {name!r}. {nearest(name, self.names)}"

    def __getitem__(self, name: str) -> AbstractPrior:
        return self._fitted[name]

    def __setitem__(self, name: str, prior: AbstractPrior) -> None:
        self._fitted[name] = prior
        self.unusable.pop(name, None)

    def __delitem__(self, name: str) -> None:
        del self._fitted[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fitted)

    def __len__(self) -> int:
        return len(self._fitted)

    def __repr__(self) -> str:
        return f"PriorShelf(own={self.own!r}, fitted={list(self)}, default={self.default!r})"
