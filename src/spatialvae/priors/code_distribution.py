"""What a fitted prior hands out: a distribution over whole codes."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from spatialvae.errors import UserError

__all__ = ["AbstractCodeDistribution"]


class AbstractCodeDistribution(Distribution, ABC):
    """A distribution over codes: batch [], event [maps, height, width]; densities are in nats."""

    def __init__(self, event_shape: torch.Size | tuple[int, ...]) -> None:
        super().__init__(torch.Size(), torch.Size(event_shape), validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None: factors and networks, which no single constraint describes."""
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

    def given_cells(self, code: Tensor, known: Tensor) -> Distribution:
        """The distribution of whole codes that agree with `code` in the cells `known`.

        Args:
            code: [maps, height, width].
            known: bool [height, width].

        Raises:
            UserError: a distribution whose conditional one nobody can draw from.
        """
        raise UserError("This prior cannot be conditioned on cells: use gaussian or mixture.")
