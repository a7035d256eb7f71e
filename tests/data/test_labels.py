"""Labels as sources have them become compact class numbers with names; -1 where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spatialvae.data import ImageData, ImageSplit
from spatialvae.data.labels import LabelTable, class_name
from spatialvae.errors import UserError
from tests.data.pictures import encoded, noise, prepared, write_folder

IMAGES = noise(40)
PLACES = {image.tobytes(): place for place, image in enumerate(IMAGES)}
ANIMALS = ["dog", "cat", "unicorn"]


def named_labels(data: ImageData) -> list[str | None]:
    """The class's name of each of IMAGES, None where it has none."""
    results: list[str | None] = [None] * len(IMAGES)
    for split in data.splits.values():
        assert split.labels is None or split.labels.dtype == np.int64
        for image, label in zip(split.images, split.labels if split.labels is not None else [], strict=False):
            if label >= 0:
                assert data.label_names is not None
                results[PLACES[image.tobytes()]] = data.label_names[label]
            else:
                assert label == -1
    return results


def parquet(path: Path, column: pa.Array, name: str = "label", metadata: dict[bytes, bytes] | None = None) -> Path:
    rows = [{"bytes": encoded(image), "path": None} for image in IMAGES[: len(column)]]
    pq.write_table(pa.table({"image": pa.array(rows), name: column}).replace_schema_metadata(metadata), path)
    return path


def numbered(labels: list[object], names: Sequence[str] = ()) -> tuple[list[str], list[int]]:
    table = LabelTable(names)
    codes = [table.code(label) for label in labels]
    result, places = table.finish()
    return result, places[codes].tolist()


def test_numbers_are_compact_and_called_by_their_value() -> None:
    assert numbered([1_000_000, 7, 7]) == (["7", "1000000"], [1, 0, 0])
    assert numbered([np.uint64(2**63), np.int8(3)]) == (["3", str(2**63)], [1, 0])
    assert numbered([12.0, float("nan"), np.float32(3)]) == (["3", "12"], [1, -1, 0])
    assert numbered([True, np.bool_(False)]) == (["False", "True"], [1, 0])
    assert numbered([7, "7", b"7"]) == (["7"], [0, 0, 0])


def test_negative_numbers_and_nothing_are_no_class() -> None:
    assert numbered([-1, 0, None, np.int64(-2), 5, "", -3.0]) == (["0", "5"], [-1, 0, -1, -1, 1, -1, -1])
    assert numbered([None, -1]) == ([], [-1, -1])


def test_text_is_sorted_as_people_count() -> None:
    assert numbered(["class 10", np.str_("class 2"), "b", "a"]) == (["a", "b", "class 2", "class 10"], [3, 2, 1, 0])


def test_declared_classes_keep_their_numbers() -> None:
    assert numbered([1, 0, "cat", -1], ANIMALS) == (ANIMALS, [1, 0, 1, -1])
    assert numbered(["mouse 10", 0, "mouse 2"], ANIMALS) == ([*ANIMALS, "mouse 2", "mouse 10"], [4, 0, 3])
    with pytest.raises(UserError, match="Label 3 is none of the 3 classes that the source names"):
        class_name(3, ANIMALS)


def test_a_fraction_is_no_class() -> None:
    assert numbered([1.0, 2.0, 2.5, 1.0]) == ([], [-1, -1, -1, -1])
    with pytest.raises(UserError, match=r"Label \[1\] is no class"):
        class_name([1])


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([7, 1_000_000] * 20, ["7", "1000000"]),
        ([-1, *[4, 3] * 19, -1], [None, *["4", "3"] * 19, None]),
        (["b", "a"] * 20, ["b", "a"] * 20),
        ([b"b", b"a"] * 20, ["b", "a"] * 20),
        ([1.0, float("nan")] * 20, ["1", None] * 20),
        ([True, False] * 20, ["True", "False"] * 20),
        ([0.5, 1.0] * 20, [None] * 40),
    ],
    ids=["numbers", "negative", "text", "bytes", "whole floats", "truth", "fractions"],
)
def test_arrays(tmp_path: Path, cache: Path, labels: list[Any], names: list[str | None]) -> None:
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=np.array(labels))
    data = prepared(tmp_path / "a.npz", cache)
    assert named_labels(data) == (names * 20)[:40]
    if not any(names):
        assert data.label_names is None and data.split("train").labels is None


@pytest.mark.parametrize(
    "column",
    [
        pa.array([3, None] * 20),
        pa.array([3, -1] * 20, pa.int8()),
        pa.array([3.0, None] * 20),
        pa.array(["3", None] * 20),
        pa.array(["3", ""] * 20, pa.large_string()),
        pa.array(["3", None] * 20).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_parquet(tmp_path: Path, cache: Path, column: pa.Array) -> None:
    data = prepared(parquet(tmp_path / "a.parquet", column), cache)
    assert (named_labels(data), data.label_names) == (["3", None] * 20, ["3"])


def test_truth_in_parquet(tmp_path: Path, cache: Path) -> None:
    data = prepared(parquet(tmp_path / "a.parquet", pa.array([True, False] * 20), "class"), cache)
    assert named_labels(data) == ["True", "False"] * 20


def test_columns_that_are_no_labels(tmp_path: Path, cache: Path) -> None:
    for column in (pa.array([[1]] * 40), pa.array([None] * 40)):
        assert prepared(parquet(tmp_path / "a.parquet", column), cache).label_names is None
    assert prepared(parquet(tmp_path / "b.parquet", pa.array([1] * 40), "id"), cache).label_names is None


def animals(labels: list[Any], names: list[str] = ANIMALS, column: str = "label") -> datasets.Dataset:
    table = {"image": [{"bytes": encoded(image), "path": None} for image in IMAGES[: len(labels)]], column: labels}
    features = datasets.Features({"image": datasets.Image(), column: datasets.ClassLabel(names=names)})
    return datasets.Dataset.from_dict(table, features=features)


@pytest.mark.parametrize("column", ["label", "species"])
@pytest.mark.parametrize("kind", ["parquet", "saved"])
def test_named_classes_keep_their_numbers(tmp_path: Path, cache: Path, kind: str, column: str) -> None:
    data_set, path = animals([1, 0, None, -1] * 10, column=column), tmp_path / "a.parquet"
    data_set.to_parquet(path) if kind == "parquet" else data_set.save_to_disk(path)
    data = prepared(path, cache)
    assert data.label_names == ANIMALS
    assert named_labels(data) == ["cat", "dog", None, None] * 10
    assert data.class_counts("train")[2] == 0


@pytest.mark.parametrize("kind", ["parquet", "saved"])
def test_splits_that_number_the_same_names_otherwise(tmp_path: Path, cache: Path, kind: str) -> None:
    parts = {"train": animals([0, 1] * 20), "test": animals([0, 1] * 5, ["cat", "mouse"])}
    if kind == "parquet":
        for name, part in parts.items():
            part.to_parquet(tmp_path / "a" / f"{name}.parquet")
    else:
        datasets.DatasetDict({**parts}).save_to_disk(tmp_path / "a")
    data = prepared(tmp_path / "a", cache)
    assert data.label_names == [*ANIMALS, "mouse"]
    labels = data.split("test").labels
    assert labels is not None and data.label_names is not None
    assert [data.label_names[label] for label in labels] == ["cat", "mouse"] * 5


def test_text_of_saved_sets(tmp_path: Path, cache: Path) -> None:
    animals([0, 1] * 20).cast_column("label", datasets.Value("string")).save_to_disk(tmp_path / "a")
    assert named_labels(prepared(tmp_path / "a", cache)) == ["0", "1"] * 20


def test_class_folders_in_natural_order(tmp_path: Path, cache: Path) -> None:
    for first, name in enumerate(["10", "2", "1"]):
        write_folder(tmp_path / "own" / name, IMAGES[10 * first : 10 * first + 10], 10 * first)
    write_folder(tmp_path / "own", IMAGES[30:], 30)  # beside the class folders: of no class
    data = prepared(tmp_path / "own", cache)
    assert data.label_names == ["1", "2", "10"]
    assert named_labels(data) == [*["10"] * 10, *["2"] * 10, *["1"] * 10, *[None] * 10]


def test_a_split_without_labels(tmp_path: Path, cache: Path) -> None:
    labels = {"train_labels": np.arange(30) % 3 + 5, "test_labels": np.full(10, -1)}
    np.savez(tmp_path / "a.npz", train_images=IMAGES[:30], test_images=IMAGES[30:], **labels)
    data = prepared(tmp_path / "a.npz", cache)
    assert data.label_names == ["5", "6", "7"]
    assert data.split("test").labels is None
    assert data.class_counts("test") == [0, 0, 0]
    assert sum(data.class_counts("train") + data.class_counts("validation")) == 30


def test_numbers_without_names_are_their_names() -> None:
    split = ImageSplit(IMAGES[:4], np.array([2, -1, 0, 2]))
    data = ImageData("own", "own", "0", 8, 8, 3, {"train": split}, [0.0] * 3, 0, None)
    assert data.label_names == ["0", "1", "2"]
    assert data.class_counts("train") == [1, 0, 2]
