"""How numbers are written, in every table and sentence of the report."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable

__all__ = [
    "MISSING",
    "alike",
    "amount",
    "difference",
    "duration",
    "estimate",
    "finite",
    "integer",
    "ratio",
    "setting",
    "share",
    "short",
]

MISSING = "–"
MOST_DECIMALS = 8


def finite(value: float | None) -> float | None:
    """A number as a float; None for what is missing, NaN or infinite.

    >>> finite(3), finite(float("nan")), finite(None)
    (3.0, None, None)
    """
    return None if value is None or not math.isfinite(value) else float(value)


def estimate(value: float | None, error: float | None = None) -> str:
    """A value and its standard error, with the decimals of the error's first digit (two digits from 0.1 to 0.2).

    Without an error: four digits. Missing, NaN and infinite values are a dash.

    >>> estimate(-1234.5678, 4.321), estimate(0.0123456, None), estimate(float("nan"))
    ('−1,235 ± 4', '0.01235', '–')
    >>> estimate(1.0, 3e-17)
    '1.000'
    """
    number, spread = finite(value), finite(error)
    if number is None:
        return MISSING
    if spread is None or spread < 10.0**-MOST_DECIMALS:  # rounding noise is no error: a share that is always 1
        return _fixed(number, 3 - _magnitude(number))
    decimals = _decimals(spread)
    return f"{_fixed(number, decimals)} ± {_fixed(spread, decimals)}"


def difference(value: float | None, low: float | None, high: float | None) -> str:
    """A difference with its sign and interval, with the decimals of the interval's half width; a dash for none.

    >>> difference(414.9, 412.1, 417.7), difference(-0.00179, -0.0018123, -0.00177), difference(3.0, None, None)
    ('+415 (412 to 418)', '−0.00179 (−0.00181 to −0.00177)', '+3.000')
    """
    number, bottom, top = finite(value), finite(low), finite(high)
    if number is None:
        return MISSING
    if bottom is None or top is None or top <= bottom:
        return _signed(_fixed(number, 3 - _magnitude(number)))
    decimals = _decimals((top - bottom) / 2)
    if any(end and not _fixed(end, decimals).strip("0.") for end in (bottom, top)):
        decimals += 1  # an end that is not 0 should not read as if it were: it decides whether there is a tie
    return f"{_signed(_fixed(number, decimals))} ({_fixed(bottom, decimals)} to {_fixed(top, decimals)})"


def duration(seconds: float) -> str:
    """A time in the unit that suits it.

    >>> duration(26.3), duration(140), duration(9000)
    ('26 seconds', '2.3 minutes', '2.5 hours')
    """
    size, unit = next((pair for pair in ((3600, "hours"), (60, "minutes")) if seconds >= 1.5 * pair[0]), (1, "seconds"))
    value = seconds / size
    return f"{value:,.0f} {unit}" if size == 1 or value >= 10 else f"{value:.1f} {unit}"


def amount(value: float) -> str:
    """A number in three digits.

    >>> amount(305.17), amount(4.25), amount(0.0321), amount(0), amount(2e-5), amount(12345.6)
    ('305', '4.25', '0.0321', '0', '<0.001', '12,346')
    """
    if 0 < value < 0.0005:
        return "<0.001"
    return _fixed(value, 2 - _magnitude(value)) if value else "0"


def alike(values: Iterable[float]) -> Callable[[float], str]:
    """How to write several amounts with the same decimals: three digits of the largest.

    >>> spell = alike([12.2, 0.963])
    >>> spell(12.2), spell(0.963), spell(0.0)
    ('12.2', '1.0', '0.0')
    """
    largest = max((abs(value) for value in values), default=0.0)
    return lambda value: _fixed(value, 2 - _magnitude(largest)) if largest >= 0.0005 else amount(value)


def share(value: float | None) -> str:
    """A share in per cent.

    >>> share(0.9995), share(0.0123), share(0), share(None)
    ('99.95 %', '1.2 %', '0 %', '–')
    """
    number = finite(value)
    if number is None:
        return MISSING
    rest = 100 * min(number, 1 - number) if 0 < number < 1 else 10
    return f"{_fixed(100 * number, 2 if rest < 0.1 else 1 if rest < 10 else 0)} %"


def integer(value: float | None) -> str:
    """A count with thousands separated.

    >>> integer(3893750), integer(None)
    ('3,893,750', '–')
    """
    number = finite(value)
    return MISSING if number is None else _fixed(number, 0)


def ratio(value: float | None) -> str:
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


def setting(value: object) -> str:
    """A setting as one reads it: yes and no, a dash for none, lists with commas, JSON for what holds names.

    >>> setting(True), setting(0.001), setting(None), setting(30000), setting([8, 0.5])
    ('yes', '0.001', '–', '30,000', '8, 0.5')
    """
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return integer(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple) and all(isinstance(item, int | float | str) for item in value):
        return ", ".join(setting(item) for item in value) or MISSING
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _decimals(spread: float) -> int:
    """Those of the first digit of a spread; one more for 1, since 0.1 for 0.14 would lose a third of it."""
    first = max(_magnitude(spread), -MOST_DECIMALS - 1)
    return -first + (spread / 10.0**first < 2)


def _signed(text: str) -> str:
    return text if text.startswith("−") or not text.strip("0.,") else f"+{text}"


def _magnitude(value: float) -> int:
    """Where the first digit stands: 0 for 1 to 9.99, -2 for 0.01."""
    return math.floor(math.log10(abs(value))) if value else 0


def _fixed(value: float, decimals: int) -> str:
    decimals = min(max(decimals, 0), MOST_DECIMALS)
    text = f"{value:,.{decimals}f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")  # a rounded zero has no sign
    return text.replace("-", "−")
