"""A cache of its own for every test of the data."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """An empty cache folder, not yet made."""
    return tmp_path / "cache"
