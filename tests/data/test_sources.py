"""Names, paths, and what is neither."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spatialvae.data import SOURCE_NAMES, prepare
from spatialvae.errors import UserError
from tests.data.pictures import encoded, noise, prepared


def test_digits(cache: Path) -> None:
    data = prepare("digits", cache=cache, progress=True)
    assert (data.channels, data.height, data.width) == (1, 8, 8)
    assert sum(len(split) for split in data.splits.values()) == 1797
    assert min(len(data.split(name)) for name in ("validation", "test")) > 50
    values = np.unique(data.split("train").images)
    assert np.array_equal(values, np.round(np.arange(17) * 255 / 16).astype(np.uint8))
    assert data.label_names == [str(digit) for digit in range(10)]
    labels = data.split("train").labels
    assert labels is not None and set(labels.tolist()) == set(range(10))
    assert data.channel_means == pytest.approx([77.8], abs=1)


def test_unknown_names(cache: Path) -> None:
    assert set(SOURCE_NAMES) == {"digits", "mnist", "fashion-mnist", "cifar10", "celeba"}
    with pytest.raises(UserError, match="Did you mean 'digits'"):
        prepared("digitz", cache)
    with pytest.raises(UserError, match="'no/such/folder' does not exist"):
        prepared("no/such/folder", cache)


def test_other_files(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\3\4")
    with pytest.raises(UserError, match="Unpack"):
        prepared(tmp_path / "a.zip", cache)
    (tmp_path / "a.png").write_bytes(encoded(noise(1)[0]))
    with pytest.raises(UserError, match="give the folder"):
        prepared(tmp_path / "a.png", cache)
