"""Parquet files in the layout of the `datasets` library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spatialvae.errors import UserError
from tests.data.pictures import encoded, everything, noise, prepared, write_folder

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


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("mnist_train.parquet", "mnist_test.parquet"),
        ("data-train-0.parquet", "data-test-0.parquet"),
        ("partial-train/0000.parquet", "partial-test/0000.parquet"),
        ("a/train.parquet", "a/eval.parquet"),
    ],
)
def test_words_of_splits_stand_anywhere(tmp_path: Path, cache: Path, train: str, test: str) -> None:
    write_parquet(tmp_path / "set" / train, rows(IMAGES[:30]))
    write_parquet(tmp_path / "set" / test, rows(IMAGES[30:]))
    assert np.array_equal(prepared(tmp_path / "set", cache).split("test").images, IMAGES[30:])


@pytest.mark.parametrize("other", ["extra", "train-test-mix", "contest"])
def test_a_named_test_set_is_never_pooled(tmp_path: Path, cache: Path, other: str) -> None:
    write_parquet(tmp_path / "set" / f"{other}.parquet", rows(IMAGES[:30]))
    write_parquet(tmp_path / "set" / "test.parquet", rows(IMAGES[30:]))
    with pytest.raises(UserError, match=rf"names test images.*for instance {other}\.parquet"):
        prepared(tmp_path / "set", cache)


def test_what_is_hidden_or_no_table_of_pictures_does_not_count(tmp_path: Path, cache: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = write_folder(tmp_path / "own", IMAGES[:20])
    pq.write_table(pa.table({"file_name": ["0000.png"], "text": ["a cat"]}), folder / "metadata.parquet")
    write_parquet(folder / ".cache" / "a.parquet", rows(IMAGES[20:]))
    write_parquet(folder / "__MACOSX" / "a.parquet", rows(IMAGES[20:]))
    (folder / "._metadata.parquet").write_bytes(b"Mac OS X")
    (folder / "broken.parquet").write_bytes(b"nothing")
    data = prepared(folder, cache)
    assert everything(data) == {image.tobytes() for image in IMAGES[:20]}
    assert data.passed_over == {".parquet": 2}
    write_parquet(folder / "real.parquet", rows(IMAGES[20:]))
    with pytest.raises(UserError, match=r"(?s)20 picture files and pictures in parquet files.*real\.parquet.*only one"):
        prepared(folder, cache)
    assert len(everything(prepared(folder / "real.parquet", cache))) == 20


def test_hidden_files_beside_tables(tmp_path: Path, cache: Path) -> None:
    write_parquet(tmp_path / "set" / "a.parquet", rows(IMAGES))
    (tmp_path / "set" / "._a.parquet").write_bytes(b"Mac OS X")
    (tmp_path / "set" / "README.md").write_text("about")
    data = prepared(tmp_path / "set", cache)
    assert len(everything(data)) == 40 and data.passed_over == {".md": 1}


@pytest.mark.parametrize("kind", ["binary", "large_binary", "binary_view", "struct_view"])
def test_columns_of_bytes(tmp_path: Path, cache: Path, kind: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if kind == "struct_view":
        column = pa.array([{"bytes": row} for row in rows(IMAGES)], pa.struct([("bytes", pa.binary_view())]))
    else:
        column = pa.array(rows(IMAGES), getattr(pa, kind)())
    pq.write_table(pa.table({"number": range(40), "jpg": column}), tmp_path / "a.parquet")
    assert everything(prepared(tmp_path / "a.parquet", cache)) == {image.tobytes() for image in IMAGES}


def write_paths(path: Path, paths: list[str], contents: list[bytes | None] | None = None) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    result = [{"path": name} for name in paths]
    if contents:
        result = [{**row, "bytes": content} for row, content in zip(result, contents, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": result}), path)


def test_rows_that_name_files(tmp_path: Path, cache: Path) -> None:
    write_folder(tmp_path / "set" / "pictures", IMAGES)
    names = [f"pictures/{place:04}.png" for place in range(40)]
    write_paths(tmp_path / "set" / "only.parquet", names)
    data = prepared(tmp_path / "set" / "only.parquet", cache)
    assert everything(data) == {image.tobytes() for image in IMAGES}
    write_paths(tmp_path / "set" / "some.parquet", names, [*rows(IMAGES[:30]), *[None] * 10])
    assert everything(prepared(tmp_path / "set" / "some.parquet", cache)) == everything(data)
    (tmp_path / "set" / "pictures" / "0000.png").write_bytes(encoded(noise(1, seed=9)[0]))
    assert prepared(tmp_path / "set" / "only.parquet", cache).fingerprint != data.fingerprint
    (tmp_path / "set" / "pictures" / "0000.png").unlink()
    with pytest.raises(UserError, match=r"only\.parquet row 0: cannot be read"):
        prepared(tmp_path / "set" / "only.parquet", cache)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "link.png"])
def test_rows_that_name_files_elsewhere_are_refused(tmp_path: Path, cache: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(encoded(IMAGES[0]))
    write_paths(tmp_path / "set" / "a.parquet", [name] * 20)
    (tmp_path / "set" / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(UserError, match=r"does not lie below the table's own folder"):
        prepared(tmp_path / "set" / "a.parquet", cache)
