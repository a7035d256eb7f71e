"""The table of equations names files and symbols that are there."""

from __future__ import annotations

import importlib
import re
from functools import reduce
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "paper-to-code.md"
ROWS = [
    (path, symbol)
    for path, symbols in re.findall(r"\| `([a-z_/]+)\.py` \| (.+?) \|$", DOCUMENT.read_text(), re.MULTILINE)
    for symbol in re.findall(r"`([A-Za-z_.]+)`", symbols)
]


def test_the_table_is_read() -> None:
    lines = [line for line in DOCUMENT.read_text().splitlines() if ".py` |" in line]
    assert len(ROWS) >= len(lines) >= 20


@pytest.mark.parametrize(("path", "symbol"), ROWS, ids=str)
def test_the_symbol_is_in_the_file(path: str, symbol: str) -> None:
    module = importlib.import_module(f"spatialvae.{path.replace('/', '.')}")
    result = reduce(getattr, symbol.split("."), module)
    assert getattr(result, "__module__", module.__name__) == module.__name__
