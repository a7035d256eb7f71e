"""How the equation of a prior is solved for its draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spatialvae.errors import UserError

__all__ = ["Solver"]


@dataclass(frozen=True)
class Solver:
    """Steps from noise to a code, and how strongly a class pulls; None leaves both to the prior.

    Args:
        steps: of Heun's method, each of which calls the network twice.
        guidance: w of v(x, t) + w (v(x, t, label) - v(x, t)), classifier-free guidance (Ho and Salimans, 2022): 1 draws
            from the class as it is, more what is typical of it.

    Raises:
        UserError: a number of steps below 1, a guidance that is negative or not finite.
    """

    steps: int | None = None
    guidance: float | None = None

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 1:
            raise UserError(f"`steps` {self.steps} is not possible: use at least 1.")
        if self.guidance is not None and not 0 <= self.guidance < math.inf:
            raise UserError(f"`guidance` {self.guidance} is not possible: it should be a finite number from 0 on.")
