"""Which value of an array is black and which is white, and its values as bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spatialvae.errors import UserError

__all__ = ["ValueRange", "range_of"]

SLACK = 1e-4  # of the range: rounding of whoever made the values
NEGATIVE = -0.5  # values that reach this far down are centred on zero
RULE = (
    "numbers are taken as 0 to 1 where none is negative, as -1 to 1 where one is -0.5 or less.\n"
    "Say what black and white are with `value_range`, for instance value_range=(0, 255), or give uint8."
)


@dataclass(frozen=True)
class ValueRange:
    """The values of black and of white.

    >>> ValueRange(-1, 1).as_bytes(np.array([-1.0, 0.0, 1.0]), "images")
    array([  0, 128, 255], dtype=uint8)
    """

    black: float
    white: float

    def __post_init__(self) -> None:
        if not np.isfinite([self.black, self.white]).all() or self.black >= self.white:
            raise UserError(
                f"`value_range` ({self.black}, {self.white}) is not possible: give the value of black and a larger "
                "one of white, for instance (0, 1)."
            )

    def as_bytes(self, values: npt.NDArray[Any], where: str) -> npt.NDArray[np.uint8]:
        """Values from black to white as whole numbers 0 to 255, rounded; `UserError` for values outside."""
        scaled = (np.asarray(values, np.float64) - self.black) / (self.white - self.black)
        if not (scaled.min(initial=0) >= -SLACK and scaled.max(initial=1) <= 1 + SLACK):
            raise UserError(
                f"{where} has values outside of {self.black:g} to {self.white:g}: say what black and white are with "
                "`value_range`."
            )
        return np.round(np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def range_of(arrays: Iterable[npt.NDArray[Any]], where: str) -> ValueRange | None:
    """The range of arrays that are no uint8, from their least and greatest values; None where there are none.

    Floats are 0 to 1 where none of them all is negative, and -1 to 1 where one is -0.5 or less; bool is 0 to 1.

    >>> range_of([np.array([0.0, 0.2]), np.array([1.0])], "images"), range_of([np.array([-0.9, 0.3])], "images")
    (ValueRange(black=0.0, white=1.0), ValueRange(black=-1.0, white=1.0))

    Raises:
        UserError: whole numbers of more than 8 bits, values that are not finite, and values that either range or none
            explains.
    """
    least, greatest = np.inf, -np.inf
    for array in arrays:
        if array.dtype == np.uint8 or not array.size:
            continue
        if array.dtype.kind not in "fb":
            raise UserError(f"{where}: {array.dtype} is not possible; {RULE}")
        least, greatest = min(least, float(array.min())), max(greatest, float(array.max()))
        if not np.isfinite([least, greatest]).all():
            raise UserError(f"{where}: there are values that are not finite (NaN or infinity).")
    if least > greatest:
        return None
    if greatest <= 1 + SLACK and least >= -SLACK:
        return ValueRange(0.0, 1.0)
    if greatest <= 1 + SLACK and -1 - SLACK <= least <= NEGATIVE:
        return ValueRange(-1.0, 1.0)
    raise UserError(f"{where}: values go from {least:g} to {greatest:g}; {RULE}")
