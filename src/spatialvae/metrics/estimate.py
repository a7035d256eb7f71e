"""A number with its standard error and how many images it rests on."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from torch import Tensor

__all__ = ["Estimate"]


@dataclass(frozen=True)
class Estimate:
    """A mean over images (or seeds), its standard error s / sqrt(n), and n.

    >>> import torch
    >>> Estimate.of(torch.tensor([1.0, 3.0]))
    Estimate(value=2.0, standard_error=1.0, n=2)
    """

    value: float
    standard_error: float | None
    """None where n is 1."""
    n: int

    @classmethod
    def of(cls, values: Tensor) -> Estimate:
        """The estimate from one value an image, [n]."""
        values = values.double()
        n = len(values)
        error = values.std().item() / math.sqrt(n) if n > 1 else None
        return cls(values.mean().item(), error, n)

    def as_dict(self) -> dict[str, float | int | None]:
        return asdict(self)
