"""The distribution of whole codes of which some cells are known."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

__all__ = ["GivenCells"]


class GivenCells(Distribution):
    """Codes that agree with `code` in the cells `known`, the others drawn from `rest`: event [maps, height, width].

    Args:
        rest: over the other cells in reading order, event [maps, unknown cells, 1].
        code: [maps, height, width].
        known: bool [height, width].
    """

    support = constraints.independent(constraints.real, 3)  # pyright: ignore

    def __init__(self, rest: Distribution, code: Tensor, known: Tensor) -> None:
        self.rest, self.code, self.known = rest, code, known
        super().__init__(torch.Size(), code.shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None: another distribution and a code."""
        return {}

    @property
    def mean(self) -> Tensor:
        return self._filled(self.rest.mean)

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        return self._filled(self.rest.sample(torch.Size(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The log-density of the unknown cells in nats, [*S]."""
        return self.rest.log_prob(value[..., ~self.known].unsqueeze(-1))

    def _filled(self, drawn: Tensor) -> Tensor:
        codes = self.code.expand(*drawn.shape[:-3], *self.code.shape).clone()
        codes[..., ~self.known] = drawn.squeeze(-1).to(codes)
        return codes
