"""How numbers are written, in every table and sentence of the report."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["MISSING", "estimate", "finite", "integer", "ratio", "setting", "short"]

MISSING = "–"
MOST_DECIMALS = 8


def finite(value: Any) -> float | None:
    """A number as a float; None for what is missing, NaN or infinite.

    >>> finite(3), finite(float("nan")), finite(None)
    (3.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def estimate(value: Any, error: Any = None) -> str:
    """A value and its standard error, with the decimals of the error's first digit (two digits from 0.1 to 0.2).

    Without an error: four digits. Missing, NaN and infinite values are a dash.

    >>> estimate(-1234.5678, 4.321), estimate(0.0123456, None), estimate(float("nan"))
    ('−1,235 ± 4', '0.01235', '–')
    """
    number, spread = finite(value), finite(error)
    if number is None:
        return MISSING
    if spread is None or spread <= 0:
        return _fixed(number, 3 - _magnitude(number))
    decimals = -_magnitude(spread) + (spread / 10.0 ** _magnitude(spread) < 2)  # 0.1 for 0.14 would lose a third of it
    return f"{_fixed(number, decimals)} ± {_fixed(spread, decimals)}"


def integer(value: Any) -> str:
    """A count with thousands separated.

    >>> integer(3893750), integer(None)
    ('3,893,750', '–')
    """
    number = finite(value)
    return MISSING if number is None else _fixed(number, 0)


def ratio(value: Any) -> str:
    """A ratio with two decimals.

    >>> ratio(1.0443), ratio(None)
    ('1.04', '–')
    """
    number = finite(value)
    return MISSING if number is None else _fixed(number, 2)


def short(value: float) -> str:
    """A count at an axis: thousands as k, millions as M.

    >>> short(200000), short(1500000), short(2500), short(0)
    ('200k', '1.5M', '2.5k', '0')
    """
    size, letter = next((pair for pair in ((1e6, "M"), (1e3, "k")) if value >= pair[0]), (1, ""))
    return f"{value / size:.4g}{letter}"


def setting(value: Any) -> str:
    """A setting as one reads it: yes and no, a dash for none, JSON for lists.

    >>> setting(True), setting(0.001), setting(None), setting(30000), setting([8, 8])
    ('yes', '0.001', '–', '30,000', '[8, 8]')
    """
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return integer(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _magnitude(value: float) -> int:
    """Where the first digit stands: 0 for 1 to 9.99, -2 for 0.01."""
    return math.floor(math.log10(abs(value))) if value else 0


def _fixed(value: float, decimals: int) -> str:
    decimals = min(max(decimals, 0), MOST_DECIMALS)
    text = f"{value:,.{decimals}f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")  # a rounded zero has no sign
    return text.replace("-", "−")
