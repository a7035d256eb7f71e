"""The order in which people count: 2 before 10."""

from __future__ import annotations

import re

__all__ = ["natural_key"]


def natural_key(text: str) -> tuple[tuple[str | tuple[int, str], ...], int, str]:
    """A key to sort by that compares runs of digits as whole numbers and all else letter by letter.

    Of two spellings of one number the one with fewer zeros before it comes first.

    >>> sorted(["10.png", "2.png", "02.png", "a1", "2b"], key=natural_key)
    ['2.png', '02.png', '2b', '10.png', 'a1']
    """
    parts = re.split(r"([0-9]+)", text)  # text and digits in turn, so that like is compared with like
    digits = [run.lstrip("0") for run in parts[1::2]]
    keys: list[str | tuple[int, str]] = [*parts]
    keys[1::2] = [(len(run), run) for run in digits]  # no int: a name may have thousands of digits
    return tuple(keys), len(text), text
