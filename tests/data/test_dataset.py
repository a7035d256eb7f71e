"""Prepared images: rows in their source, splits that were carved, the whole set, and data from arrays in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spatialvae.data import ImageData
from spatialvae.data.joined import JoinedImages
from spatialvae.errors import UserError
from tests.data.pictures import noise, picture, prepared, write_folder


def test_all_is_the_source_in_its_order(tmp_path: Path, cache: Path) -> None:
    images = noise(60)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(60) % 3)
    data = prepared(tmp_path / "a.npz", cache)
    whole = data.split("all")
    assert np.array_equal(whole.take(np.arange(60)), images)
    assert np.array_equal(whole.take(np.array([7, 59, 0, 7])), images[[7, 59, 0, 7]])
    assert whole.labels is not None and np.array_equal(whole.labels, np.arange(60) % 3)
    for split in data.splits.values():
        assert split.rows is not None
        assert np.array_equal(images[split.rows], split.images)
    with pytest.raises(IndexError):
        whole.take(np.array([60]))


def test_all_copies_nothing(tmp_path: Path, cache: Path) -> None:
    np.save(tmp_path / "a.npy", noise(60))
    data = prepared(tmp_path / "a.npy", cache)
    joined = data.split("all").pixels
    assert isinstance(joined, JoinedImages)
    assert all(part is split.pixels for part, split in zip(joined.parts, data.splits.values(), strict=True))


def test_rows_count_the_bad_pictures_too(tmp_path: Path, cache: Path) -> None:
    images = noise(30)
    folder = write_folder(tmp_path / "some", images)
    (folder / "0004.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    data = prepared(folder, cache, skip_bad_images=True)
    rows = data.split("all").rows
    assert rows is not None and rows.tolist() == [row for row in range(30) if row != 4]


def test_which_splits_were_carved(tmp_path: Path, cache: Path) -> None:
    images = noise(60)
    np.save(tmp_path / "none.npy", images)
    np.savez(tmp_path / "two.npz", train_images=images[:40], test_images=images[40:])
    none, two = prepared(tmp_path / "none.npy", cache), prepared(tmp_path / "two.npz", cache)
    assert (set(none.carved), none.handed_over) == ({"test", "validation"}, "all")
    assert (two.carved, two.handed_over) == (("validation",), "test")
    assert prepared(tmp_path / "two.npz", cache) and prepared(tmp_path / "two.npz", cache).carved == two.carved


def test_a_source_is_called_by_its_whole_path(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_folder(tmp_path / "home" / "pictures", noise(20))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home")
    for spelled in ("pictures", "./pictures/", "~/pictures", str(folder)):
        assert prepared(spelled, cache).source == str(folder)
    assert prepared("digits", cache).source == "digits"


def test_arrays_in_memory() -> None:
    images = {"train": noise(12), "validation": noise(5, seed=1), "test": noise(4, seed=2)}
    labels = {"train": np.arange(12) % 3, "test": np.array([0, -1, 2, 1])}
    data = ImageData.from_arrays(images, labels, name="mine")
    assert (data.source, data.name, data.height, data.width, data.channels) == (None, "mine", 8, 8, 3)
    assert data.channel_means == pytest.approx(images["train"].mean((0, 2, 3)).tolist())
    assert data.label_names == ["0", "1", "2"]
    whole = data.split("all")
    assert np.array_equal(whole.images, np.concatenate(list(images.values())))
    assert whole.labels is not None and whole.labels[12:].tolist() == [-1] * 5 + [0, -1, 2, 1]


def test_arrays_that_change_afterwards_change_no_data() -> None:
    images, labels = noise(12), np.arange(12) % 2
    data = ImageData.from_arrays({"train": images}, {"train": labels})
    before = images.copy()
    images[:], labels[:] = 0, 0
    split = data.split("train")
    assert np.array_equal(split.images, before)
    assert split.labels is not None and split.labels.sum() == 6


def test_a_fingerprint_of_the_content() -> None:
    images = {"train": noise(12), "test": noise(4, seed=2)}
    one = ImageData.from_arrays(images).fingerprint
    assert ImageData.from_arrays({name: part.copy() for name, part in images.items()}, name="x").fingerprint == one
    other = noise(12)
    other[-1, -1, -1, -1] ^= 1
    labels = {"train": np.zeros(12, np.int64)}
    for changed in (
        ImageData.from_arrays({**images, "train": other}),
        ImageData.from_arrays(images, labels),
        ImageData.from_arrays({"train": images["train"], "validation": images["test"]}),
    ):
        assert changed.fingerprint != one
    labelled = [ImageData.from_arrays(images, {"train": np.full(12, label)}).fingerprint for label in (0, 1)]
    assert labelled[0] != labelled[1]


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        ({}, None, "no images"),
        ({"tran": noise(3)}, None, "Did you mean 'train'"),
        ({"train": noise(3) / 255}, None, "float64 of shape .*; uint8"),
        ({"train": noise(3)[:, 0]}, None, r"shape \[3, 8, 8\]"),
        ({"train": noise(3)[:0]}, None, "at least one image"),
        ({"train": noise(3), "test": noise(3, height=9)}, None, r"\[3, 9, 8\], others \[3, 8, 8\]"),
        ({"train": noise(3)}, {"train": np.zeros(2, np.int64)}, r"int64 of shape \[3\]"),
        ({"train": noise(3)}, {"train": np.full(3, -2)}, "-1 for none"),
        ({"train": noise(3)}, {"test": np.zeros(3, np.int64)}, "Split 'test' is not known"),
    ],
)
def test_arrays_that_are_no_data(images: dict, labels: dict | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ImageData.from_arrays(images, labels)


def test_a_folder_s_splits_in_all(tmp_path: Path, cache: Path) -> None:
    images = noise(30)
    for place, image in enumerate(images):
        path = tmp_path / "set" / ("test" if place % 3 == 0 else "train") / f"{place:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(image).save(path)
    data = prepared(tmp_path / "set", cache)
    order = [place for place in range(30) if place % 3 == 0] + [place for place in range(30) if place % 3]
    assert np.array_equal(data.split("all").images, images[order])
