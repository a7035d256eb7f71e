"""Images of every kind that a program can hold become the same prepared images; what is unclear is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from spatialvae.data import ImageData, as_image_data
from spatialvae.data.record import DataRecord
from spatialvae.errors import UserError
from tests.data.pictures import noise, picture, write_folder

IMAGES = noise(40)
LABELS = np.arange(40) % 3
LAST = IMAGES.transpose(0, 2, 3, 1)


class Pairs(Dataset):
    """A torch data set of pictures of Pillow with labels; it stops at no index by itself, as such sets do."""

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, row: int) -> tuple[object, int]:
        return picture(IMAGES[row % 40]), int(LABELS[row % 40])


class Stream(IterableDataset):
    """A torch data set that has no length."""

    def __iter__(self):
        return iter(torch.from_numpy(IMAGES))


class SizedStream(Stream):
    """One that says how long it is."""

    def __len__(self) -> int:
        return len(IMAGES)


def of_datasets(names: list[str] | None = None) -> Any:
    import datasets

    kind = datasets.ClassLabel(names=names) if names else datasets.Value("int64")
    features = datasets.Features({"image": datasets.Image(), "label": kind})
    return datasets.Dataset.from_dict({"image": [picture(one) for one in IMAGES], "label": LABELS}, features=features)


KINDS = {
    "array": lambda: IMAGES,
    "channels last": lambda: LAST,
    "tensor": lambda: torch.from_numpy(IMAGES),
    "floats from 0 to 1": lambda: IMAGES / 255,
    "float32 tensor from -1 to 1": lambda: torch.from_numpy(IMAGES) / 127.5 - 1,
    "bfloat16 pairs with labels": lambda: (torch.from_numpy(IMAGES), torch.from_numpy(LABELS)),
    "labels as text": lambda: (IMAGES, [str(label) for label in LABELS]),
    "torch": Pairs,
    "tensors": lambda: TensorDataset(torch.from_numpy(IMAGES) / 255, torch.from_numpy(LABELS)),
    "no length": Stream,
    "a length and no index": lambda: dict(enumerate(IMAGES)).values(),
    "a stream with a length": SizedStream,
    "no length, labels apart": lambda: (Stream(), LABELS),
    "list of arrays": lambda: list(LAST),
    "list of pictures, labels apart": lambda: ([picture(one) for one in IMAGES], LABELS),
    "datasets": of_datasets,
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str, cache: Path) -> None:
    data = as_image_data(KINDS[kind](), cache=cache if kind == "datasets" else None)
    plain = as_image_data(IMAGES)
    assert data.source is None and set(data.splits) == {"train", "validation", "test"}
    whole = data.split("all")
    assert np.array_equal(whole.images, IMAGES)
    for name, split in data.splits.items():
        assert np.array_equal(split.images, plain.split(name).images)
    if whole.labels is not None:
        assert np.array_equal(whole.labels, LABELS) and data.label_names == ["0", "1", "2"]
        assert data.fingerprint != plain.fingerprint
    else:
        assert "labels" not in kind and data.fingerprint == plain.fingerprint
    assert (cache.exists()) == (kind == "datasets")


def test_datasets_with_splits_and_names(cache: Path) -> None:
    import datasets

    parts = of_datasets(["cat", "dog", "owl"]).train_test_split(10, seed=0)
    assert isinstance(parts, datasets.DatasetDict)
    data = as_image_data(parts, cache=cache, name="pets")
    assert (data.name, data.label_names, len(data.split("test")), data.carved) == (
        "pets",
        ["cat", "dog", "owl"],
        10,
        ("validation",),
    )


def test_names_and_paths(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_folder(tmp_path / "digits", noise(20))
    monkeypatch.chdir(tmp_path)
    assert as_image_data("digits", cache=cache).channels == 1
    data = as_image_data(Path("digits"), cache=str(cache))  # a path is never the name of a source
    assert (data.source, data.channels) == (str(folder), 3)
    assert as_image_data(data) is data
    with pytest.raises(UserError, match="prepared already"):
        as_image_data(data, image_size=16)


def test_splits_by_name() -> None:
    data = as_image_data({"train": (IMAGES, LABELS), "val": noise(4, seed=1), "test": None})
    assert {name: len(split) for name, split in data.splits.items()}.keys() == {"train", "validation", "test"}
    assert len(data.split("validation")) == 4 and data.carved == ("test",)
    validation = data.split("validation").labels
    assert validation is None and data.class_counts("train") and sum(map(len, data.splits.values())) == 44
    assert set(as_image_data({"test": IMAGES}).splits) == {"test"}


@pytest.mark.parametrize("size", [16, "16", (16, 16)])
def test_options(size: Any) -> None:
    data = as_image_data(IMAGES, image_size=size, crop="center", channels=1)
    assert data.split("train").shape == (1, 16, 16)
    record = DataRecord.of(data)
    assert (record.source, record.options.image_size, record.options.crop) == (None, (16, 16), "center")


def test_ranges() -> None:
    sixteen = (IMAGES[:, 0] // 16).astype(np.int32)
    data = as_image_data(sixteen, value_range=(0, 15))
    assert np.array_equal(data.split("all").images[:, 0], sixteen * 17)
    binary = IMAGES[:, :1] > 127
    assert np.array_equal(as_image_data(binary).split("all").images, binary * np.uint8(255))
    ones = as_image_data(binary.astype(np.uint8), value_range=(0, 1))
    assert np.array_equal(ones.split("all").images, binary * np.uint8(255))
    sure = as_image_data((IMAGES / 255) * 0.4 - 0.2, value_range=(-1, 1)).split("all").images  # given, not guessed
    assert sure.min() == 102 and sure.max() == 153


def test_the_range_is_of_all_images() -> None:
    """A data set whose first images have no negative value is still one from -1 to 1."""
    values = IMAGES.astype(np.float32) / 127.5 - 1
    values[0] = np.abs(values[0])
    whole = as_image_data([torch.from_numpy(one) for one in values]).split("all").images
    assert np.array_equal(whole[1:], IMAGES[1:]) and whole[0].min() >= 127


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (IMAGES.astype(np.float32), r"values go from 0 to 255; .*\n.*value_range=\(0, 255\)"),
        (IMAGES / 255 - 0.1, "values go from -0.1 to 0.9"),
        (np.full((12, 8, 8), np.nan), "not finite"),
        (IMAGES.astype(np.int64), "int64 is not possible"),
        (IMAGES[0, 0], r"shape 8x8: images are \[N, H, W\]"),
        (IMAGES.reshape(40, 8, 3, 8), "Neither axis 1 nor axis 3"),
        (IMAGES[:, :, :3, :3].transpose(0, 2, 1, 3), "Both axes 1 and 3"),
        ((IMAGES, LABELS[:3]), r"labels of arrays are int64 of shape \[3\].*\[40\]"),
        ((IMAGES, np.eye(40)), r"labels of arrays are float64 of shape \[40, 40\]"),
        ((IMAGES, LABELS, LABELS), "tuple of 3"),
        ({"tran": IMAGES}, "Did you mean 'train'"),
        ({}, "no images"),
        ([], "'arrays' has no images"),
        (7, "images cannot be made of a int"),
        (iter(IMAGES), "only once"),
        (DataLoader(TensorDataset(torch.from_numpy(IMAGES)), batch_size=10), "a DataLoader gives batches.*dataset"),
        ((IMAGES, 5), r"labels of arrays are object of shape \[\]"),
        ((Stream(), LABELS[:39]), "more images than its 39 labels"),
        ((Stream(), [0] * 41), "40 images and 41 labels"),
        ({"train": {0: IMAGES[0]}}, "images cannot be made of a dict"),
        (["a.png", "b.png"], "image 0 of arrays is a str"),
        ([(IMAGES[0], 1, 2)], "tuple of 3"),
        ([IMAGES], r"image 0 of arrays has shape \[40, 3, 8, 8\]"),
        (IMAGES[:5], "Too few images: 5 different"),
        (np.zeros((12, 8, 8), np.uint8), "Too few images: 1 different"),
        (IMAGES[:, :, :5, :5], "image 0 of arrays is 5x5 .*larger image_size"),
    ],
)
def test_what_is_refused(images: Any, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        as_image_data(images)
    assert len(str(refused.value).splitlines()) <= 2 and "--" not in str(refused.value)


def test_the_range_is_refused_in_plain_words(cache: Path) -> None:
    with pytest.raises(UserError, match="larger one of white"):
        as_image_data(IMAGES, value_range=(1, 0))
    with pytest.raises(UserError, match="outside of 0 to 1"):
        as_image_data(IMAGES, value_range=(0, 1))
    with pytest.raises(UserError, match="for arrays in memory"):
        as_image_data("digits", value_range=(0, 1), cache=cache)


def test_what_is_given_is_left_alone() -> None:
    images = IMAGES.copy()
    data = as_image_data(images)
    assert isinstance(data, ImageData) and images.flags.writeable
    images[:] = 0
    assert np.array_equal(data.split("all").images, IMAGES)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("digits", {"label_names": ["a"]}, "label_names is for arrays in memory"),
        ("digits", {"name": "mine"}, "name is for arrays in memory"),
        (Path("digits"), {"name": "mine"}, "name is for arrays in memory"),
        ("datasets", {"label_names": ["a"]}, "label_names is for arrays in memory"),
        ("datasets", {"value_range": (0, 1)}, "value_range is for arrays in memory"),
        (IMAGES, {"cache": "somewhere"}, "cache is for what is decoded into the cache"),
        ("prepared", {"name": "mine"}, "prepared already"),
        ("prepared", {"label_names": ["a"]}, "prepared already"),
        ("prepared", {"cache": "somewhere"}, "prepared already"),
        (IMAGES, {"image_size": (16,)}, r"image_size \(16,\) is not a size"),
        (IMAGES, {"image_size": 16.0}, "image_size 16.0 is not a size"),
        (IMAGES, {"image_size": (16.5, 16)}, "image_size 16.5x16 is not a size"),
        (IMAGES, {"value_range": (0, 1, 2)}, r"value_range \(0, 1, 2\) is not possible"),
        (IMAGES, {"value_range": 1}, "value_range 1 is not possible"),
        (IMAGES, {"value_range": ("a", "b")}, r"value_range \('a', 'b'\) is not possible"),
    ],
)
def test_arguments_that_do_not_apply_or_are_of_another_form(kind: Any, options: dict[str, Any], words: str) -> None:
    images = kind
    if isinstance(kind, str) and kind != "digits":
        images = of_datasets() if kind == "datasets" else as_image_data(IMAGES)
    with pytest.raises(UserError, match=words):
        as_image_data(images, **options)
