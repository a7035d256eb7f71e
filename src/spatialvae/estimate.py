"""A number with its standard error, how many images or seeds it rests on, and which of the two."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ONE_TRAINING", "Estimate", "spell"]

ONE_TRAINING = "over images, this training only"
"""What ± and an interval of one trained model are over: how much another training differs is not in them."""


@dataclass(frozen=True)
class Estimate:
    """A mean over images (or seeds), its standard error s / sqrt(n), and n.

    >>> import torch
    >>> Estimate.of(torch.tensor([1.0, 3.0]))
    Estimate(value=2.0, standard_error=1.0, n=2, over='images')
    """

    value: float
    standard_error: float | None
    """None where n is 1."""
    n: int
    over: Literal["images", "seeds"] = "images"
    """What n counts and the error is over; over images, a trained model is held fixed."""

    @classmethod
    def of(cls, values: Tensor, over: Literal["images", "seeds"] = "images") -> Estimate:
        """The estimate from one value an image or a seed, [n]."""
        values = values.double()
        n = len(values)
        error = values.std().item() / math.sqrt(n) if n > 1 else None
        return cls(values.mean().item(), error, n, over)

    def as_dict(self) -> dict[str, float | int | str | None]:
        return asdict(self)


ROUNDING = 1e-9
"""An error below it is 0 but for rounding."""


def spell(estimate: Estimate) -> str:
    """Value and error, with four decimals or as many more as two digits of the error take.

    >>> spell(Estimate(0.25, 0.00012, 100)), spell(Estimate(9.5, None, 1))
    ('0.25000 ± 0.00012', '9.5000')
    """
    error = estimate.standard_error
    if error is None:
        return f"{estimate.value:.4f}"
    decimals = max(4, 1 - math.floor(math.log10(error))) if error > ROUNDING else 4
    return f"{estimate.value:.{decimals}f} ± {error:.{decimals}f}"
