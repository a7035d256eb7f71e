"""Parquet files in the layout of the `datasets` library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spatialvae.errors import UserError
from tests.data.pictures import encoded, everything, noise, prepared

IMAGES = noise(40)


def write_parquet(path: Path, contents: list[bytes | None], labels: Any = None, column: str = "image") -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": content, "path": None} for content in contents]
    columns: dict[str, Any] = {
        "name": [str(place) for place in range(len(rows))],
        column: pa.array(rows, kind),
    }
    if labels is not None:
        columns["label"] = pa.array(labels, pa.int64())
    pq.write_table(pa.table(columns), path, row_group_size=7)
    return path


def rows(images: np.ndarray) -> list[bytes | None]:
    return [encoded(image, "WEBP", lossless=True) for image in images]


def test_shards_and_splits(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "set" / "data"
    write_parquet(folder / "train-00000-of-00002.parquet", rows(IMAGES[:15]), range(15), "img")
    write_parquet(folder / "train-00001-of-00002.parquet", rows(IMAGES[15:30]), range(15, 30), "img")
    write_parquet(folder / "test-00000-of-00001.parquet", rows(IMAGES[30:]), range(30, 40), "img")
    data = prepared(tmp_path / "set", cache)
    assert np.array_equal(data.split("test").images, IMAGES[30:])
    for split in data.splits.values():
        assert split.labels is not None
        assert np.array_equal(split.images, IMAGES[split.labels])
    assert everything(data) == {image.tobytes() for image in IMAGES}


def test_one_file_without_labels(tmp_path: Path, cache: Path) -> None:
    data = prepared(write_parquet(tmp_path / "faces.parquet", rows(IMAGES)), cache)
    assert data.name == "faces" and data.split("train").labels is None
    assert everything(data) == {image.tobytes() for image in IMAGES}


def test_label_names_from_the_library(tmp_path: Path, cache: Path) -> None:
    import datasets

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    table = {"image": [{"bytes": row, "path": None} for row in rows(IMAGES)], "label": [0, 1] * 20}
    datasets.Dataset.from_dict(table, features=features).to_parquet(tmp_path / "a.parquet")
    assert prepared(tmp_path / "a.parquet", cache).label_names == ["cat", "dog"]


def test_bad_rows_are_named(tmp_path: Path, cache: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [*rows(IMAGES), None, b"nonsense"])
    with pytest.raises(UserError) as caught:
        prepared(path, cache)
    assert "a.parquet row 40: there is no picture" in str(caught.value)
    assert "a.parquet row 41: not a picture" in str(caught.value)
    assert prepared(path, cache, skip_bad_images=True).skipped == 2


def test_wrong_files(tmp_path: Path, cache: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "plain.parquet")
    with pytest.raises(UserError, match=r"no image column.*a, b"):
        prepared(tmp_path / "plain.parquet", cache)
    (tmp_path / "no.parquet").write_bytes(b"nothing")
    with pytest.raises(UserError, match="not a readable parquet file"):
        prepared(tmp_path / "no.parquet", cache)
    write_parquet(tmp_path / "set" / "train-0.parquet", rows(IMAGES))
    write_parquet(tmp_path / "set" / "extra.parquet", rows(IMAGES))
    with pytest.raises(UserError, match=r"no known split.*extra\.parquet"):
        prepared(tmp_path / "set", cache)
