"""Names, paths, and what is neither."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from spatialvae.data import SOURCES, as_image_data, prepare
from spatialvae.data.options import ImageOptions
from spatialvae.data.record import DataRecord
from spatialvae.data.sources import AbstractSource, Record, whole_name
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
    assert set(SOURCES) == {"digits", "mnist", "fashion-mnist", "cifar10", "celeba"}
    with pytest.raises(UserError, match="Did you mean 'digits'"):
        prepared("digitz", cache)
    with pytest.raises(UserError, match="'no/such/folder' does not exist"):
        prepared("no/such/folder", cache)


class Stripes(AbstractSource):
    """Made-up images, registered from outside."""

    implied = ImageOptions(crop="8")

    def __init__(self, count: int = 20, grey: bool = True) -> None:
        self.name, self.total, self.count, self.grey = "stripes", count, count, grey

    def identity(self, cache: Path) -> str:
        return f"stripes {self.count} {self.grey}"

    def records(self) -> Iterator[Record]:
        for row, image in enumerate(noise(self.count, 1 if self.grey else 3, 10, 10)):
            yield Record(f"stripe {row}", image, "odd" if row % 2 else "even")


@pytest.fixture
def stripes() -> Iterator[None]:
    SOURCES.register("stripes")(Stripes)
    yield
    del SOURCES._parts["stripes"]


@pytest.mark.usefixtures("stripes")
def test_a_source_from_outside(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = as_image_data("stripes:count=30,grey=false", cache=cache)
    assert (data.source, data.name, data.channels) == ("stripes:count=30,grey=false", "stripes", 3)
    assert (data.height, data.options.crop, data.label_names) == (8, "8", ["even", "odd"])
    assert np.array_equal(data.split("all").images, noise(30, 3, 10, 10)[:, :, 1:9, 1:9])
    assert (cache / data.fingerprint / "info.json").is_file()
    record = DataRecord.of(data)
    assert record.source is not None and record.options == data.options
    again = prepare(record.source, record.options, cache=cache, expected=record.fingerprint)
    assert np.array_equal(again.split("all").images, data.split("all").images)
    assert as_image_data("stripes", cache=cache, crop="center").options.crop == "center"
    monkeypatch.chdir(tmp_path)
    assert whole_name("stripes") == "stripes" and whole_name("./stripes") == str(tmp_path / "stripes")
    with pytest.raises(UserError, match=r"stripes has no option 'cuont'\. Did you mean 'count'"):
        as_image_data("stripes:cuont=3", cache=cache)
    with pytest.raises(UserError, match="count is a whole number"):
        as_image_data("stripes:count=many", cache=cache)


def test_a_source_that_is_not_there_any_more(cache: Path) -> None:
    with pytest.raises(UserError, match="'stripes:count=30' is neither a known name nor a path"):
        prepare("stripes:count=30", cache=cache)


def test_other_files(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\3\4")
    with pytest.raises(UserError, match="Unpack"):
        prepared(tmp_path / "a.zip", cache)
    (tmp_path / "a.png").write_bytes(encoded(noise(1)[0]))
    with pytest.raises(UserError, match="give the folder"):
        prepared(tmp_path / "a.png", cache)
