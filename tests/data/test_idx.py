"""idx files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from spatialvae.errors import UserError
from tests.data.pictures import everything, noise, prepared

IMAGES = noise(40, 1, 9, 8)
LABELS = np.arange(40, dtype=np.uint8)


def write_idx(path: Path, array: np.ndarray) -> None:
    content = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_mnist(folder: Path, suffix: str = ".gz") -> Path:
    folder.mkdir(exist_ok=True)
    for name, part in (("train", slice(0, 30)), ("t10k", slice(30, 40))):
        write_idx(folder / f"{name}-images-idx3-ubyte{suffix}", IMAGES[part, 0])
        write_idx(folder / f"{name}-labels-idx1-ubyte{suffix}", LABELS[part])
    return folder


def test_folder(tmp_path: Path, cache: Path) -> None:
    data = prepared(write_mnist(tmp_path / "mnist"), cache)
    assert (data.channels, data.height, data.width, len(data.split("test"))) == (1, 9, 8, 10)
    for split in data.splits.values():
        assert split.labels is not None
        assert np.array_equal(split.images, IMAGES[split.labels])
    assert everything(data) == {image.tobytes() for image in IMAGES}


def test_both_packed_and_unpacked_count_once(tmp_path: Path, cache: Path) -> None:
    folder = write_mnist(write_mnist(tmp_path / "mnist"), "")
    assert sum(len(split) for split in prepared(folder, cache).splits.values()) == 40


def test_single_files(tmp_path: Path, cache: Path) -> None:
    folder = write_mnist(tmp_path / "mnist")
    data = prepared(folder / "train-images-idx3-ubyte.gz", cache)
    assert sum(len(split) for split in data.splits.values()) == 30 and data.split("train").labels is not None
    write_idx(tmp_path / "renamed.dat", IMAGES[:, 0])
    assert len(everything(prepared(tmp_path / "renamed.dat", cache))) == 40


EMNIST = "emnist-balanced-{}-{}-idx{}-ubyte.gz"
KANNADA = "{1}_kannada_MNIST_{0}-idx{2}-ubyte"
QMNIST = "qmnist-{}-{}-idx{}-ubyte"


@pytest.mark.parametrize(
    ("pattern", "images", "labels"),
    [(EMNIST, "images", "labels"), (KANNADA, "X", "y"), (QMNIST, "images", "labels")],
)
def test_names_of_other_sets(tmp_path: Path, cache: Path, pattern: str, images: str, labels: str) -> None:
    for name, part in (("train", slice(0, 30)), ("test", slice(30, 40))):
        write_idx(tmp_path / pattern.format(name, images, 3), IMAGES[part, 0])
        write_idx(tmp_path / pattern.format(name, labels, 1), LABELS[part])
    data = prepared(tmp_path, cache)
    assert np.array_equal(data.split("test").images, IMAGES[30:])
    for split in data.splits.values():
        assert split.labels is not None and np.array_equal(split.images, IMAGES[split.labels])


def test_the_wide_labels_of_qmnist(tmp_path: Path, cache: Path) -> None:
    write_idx(tmp_path / "qmnist-train-images-idx3-ubyte", IMAGES[:, 0])
    wide = np.stack([LABELS, *[np.full(40, 7)] * 7], 1).astype(">i4")
    header = struct.pack(">4B2I", 0, 0, 12, 2, *wide.shape)
    (tmp_path / "qmnist-train-labels-idx2-int.gz").write_bytes(gzip.compress(header + wide.tobytes()))
    train = prepared(tmp_path, cache).split("train")
    assert train.labels is not None and np.array_equal(train.images, IMAGES[train.labels])


def test_several_sets_in_one_folder_are_refused(tmp_path: Path, cache: Path) -> None:
    for name in ("emnist-letters-train", "emnist-letters-test", "emnist-digits-train"):
        write_idx(tmp_path / f"{name}-images-idx3-ubyte", IMAGES[:, 0])
    with pytest.raises(UserError, match=r"2 data sets \(emnist digits, emnist letters\)"):
        prepared(tmp_path, cache)


def test_a_named_test_set_is_never_pooled(tmp_path: Path, cache: Path) -> None:
    write_idx(tmp_path / "more-images-idx3-ubyte", IMAGES[:20, 0])
    write_idx(tmp_path / "more-test-images-idx3-ubyte", IMAGES[20:, 0])
    with pytest.raises(UserError, match="names test images"):
        prepared(tmp_path, cache)


def test_damage(tmp_path: Path, cache: Path) -> None:
    folder = write_mnist(tmp_path / "mnist")
    images = folder / "train-images-idx3-ubyte.gz"
    whole = images.read_bytes()
    images.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"damaged|cut short"):
        prepared(folder, cache)
    images.write_bytes(b"something else")
    with pytest.raises(UserError, match="not an idx file"):
        prepared(folder, cache)
    write_idx(images, IMAGES[:20, 0])
    with pytest.raises(UserError, match="30 labels for 20 images"):
        prepared(folder, cache)
    images.unlink()
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(UserError, match="labels only"):
        prepared(folder, cache)
