"""`.npy` and `.npz` files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spatialvae.errors import UserError
from tests.data.pictures import everything, members, noise, prepared

IMAGES = noise(24, 3, 8, 12)
KNOWN = {image.tobytes() for image in IMAGES}


@pytest.mark.parametrize("order", ["C", "F"])
def test_both_layouts(tmp_path: Path, cache: Path, order: str) -> None:
    for name, array in (("nchw", IMAGES), ("nhwc", IMAGES.transpose(0, 2, 3, 1))):
        array = np.asfortranarray(array) if order == "F" else np.ascontiguousarray(array)
        np.save(tmp_path / f"{name}.npy", array)
        np.savez_compressed(tmp_path / f"{name}.npz", pictures=array, note=np.zeros(3))
        for suffix in ("npy", "npz"):
            data = prepared(tmp_path / f"{name}.{suffix}", cache)
            assert (data.channels, data.height, data.width, data.name) == (3, 8, 12, name)
            assert everything(data) == KNOWN


def test_grey_of_three_axes(tmp_path: Path, cache: Path) -> None:
    np.save(tmp_path / "grey.npy", noise(20, 1)[:, 0])
    assert prepared(tmp_path / "grey.npy", cache).channels == 1


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_numbers_of_channels(tmp_path: Path, cache: Path, channels: int) -> None:
    np.save(tmp_path / "a.npy", noise(20, channels))
    assert prepared(tmp_path / "a.npy", cache).channels == channels
    assert prepared(tmp_path / "a.npy", cache, image_size=(9, 10)).channels == channels


def test_ambiguous_layouts(tmp_path: Path, cache: Path) -> None:
    np.save(tmp_path / "both.npy", np.zeros((20, 3, 8, 3), np.uint8))
    with pytest.raises(UserError, match=r"Both axes.*20x3x8x3.*layout: nchw or nhwc"):
        prepared(tmp_path / "both.npy", cache)
    np.save(tmp_path / "neither.npy", np.zeros((20, 8, 8, 8), np.uint8))
    with pytest.raises(UserError, match=r"Neither.*layout"):
        prepared(tmp_path / "neither.npy", cache)
    with pytest.raises(UserError, match="axis 1"):
        prepared(tmp_path / "neither.npy", cache, layout="nchw")
    square = noise(20, 3, 8, 8)
    np.save(tmp_path / "thin.npy", np.concatenate([square, square], 2)[:, :, :, :4])
    with pytest.raises(UserError, match="Both"):
        prepared(tmp_path / "thin.npy", cache)
    data = prepared(tmp_path / "thin.npy", cache, layout="nchw", image_size=(8, 8))
    assert data.channels == 3


def test_wrong_content(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "a.npy"
    for array, message in (
        (np.zeros((20, 3, 8, 8), np.float32), "float32; uint8"),
        (np.zeros((20, 64), np.uint8), "20x64"),
        (np.zeros((20, 3, 8, 4), np.uint8).transpose(0, 1, 3, 2), "4x8"),
        (np.zeros((0, 3, 8, 8), np.uint8), "no images"),
    ):
        np.save(path, array)
        with pytest.raises(UserError, match=message):
            prepared(path, cache)
    path.write_bytes(b"no array")
    with pytest.raises(UserError, match="not a readable NumPy file"):
        prepared(path, cache)
    np.save(path, IMAGES)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="cut short"):
        prepared(path, cache)
    (tmp_path / "a.npz").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"not a readable \.npz"):
        prepared(tmp_path / "a.npz", cache)


def test_pickled_objects_are_refused(tmp_path: Path, cache: Path) -> None:
    objects = np.empty(3, dtype=object)
    np.save(tmp_path / "a.npy", objects)
    with pytest.raises(UserError, match="pickled Python objects"):
        prepared(tmp_path / "a.npy", cache)
    np.savez(tmp_path / "b.npz", images=IMAGES, labels=np.array([None] * 24))
    with pytest.raises(UserError, match="labels"):
        prepared(tmp_path / "b.npz", cache)


def test_labels(tmp_path: Path, cache: Path) -> None:
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=np.arange(24)[:, None])
    data = prepared(tmp_path / "a.npz", cache)
    for split in data.splits.values():
        assert split.labels is not None
        assert np.array_equal(split.images, IMAGES[split.labels])
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=np.arange(23))
    with pytest.raises(UserError, match=r"shape \[23\].*shape \[24\]"):
        prepared(tmp_path / "a.npz", cache)


def test_named_splits(tmp_path: Path, cache: Path) -> None:
    np.savez(tmp_path / "a.npz", train_images=IMAGES[:16], val_images=IMAGES[16:20], test_images=IMAGES[20:])
    data = prepared(tmp_path / "a.npz", cache)
    assert members(data, "validation") == {image.tobytes() for image in IMAGES[16:20]}
    assert np.array_equal(data.split("test").images, IMAGES[20:])


@pytest.mark.parametrize(("train", "test"), [("x_train", "x_test"), ("Train", "t10k"), ("images_trn", "images_tst")])
def test_words_of_splits_stand_anywhere(tmp_path: Path, cache: Path, train: str, test: str) -> None:
    arrays = {train: IMAGES[:16], test: IMAGES[16:], "y_train": np.arange(16), "y_test": np.arange(16, 24)}
    np.savez(tmp_path / "a.npz", **arrays)  # pyright: ignore[reportArgumentType]
    data = prepared(tmp_path / "a.npz", cache)
    assert np.array_equal(data.split("test").images, IMAGES[16:])
    if train == "x_train":
        labels = data.split("test").labels
        assert labels is not None and labels.tolist() == list(range(16, 24))


def test_a_named_test_set_is_never_pooled(tmp_path: Path, cache: Path) -> None:
    np.savez(tmp_path / "a.npz", images=IMAGES[:16], test_images=IMAGES[16:])
    with pytest.raises(UserError, match=r"names test images, for instance test_images.*for instance images"):
        prepared(tmp_path / "a.npz", cache)
    np.savez(tmp_path / "b.npz", test_images=IMAGES)
    assert list(prepared(tmp_path / "b.npz", cache).splits) == ["test"]


def test_an_array_that_is_meant_and_of_another_type_is_named(tmp_path: Path, cache: Path) -> None:
    np.savez(tmp_path / "a.npz", train_images=IMAGES[:16], test_images=IMAGES[16:].astype(np.float32))
    with pytest.raises(UserError, match=r"'test_images' of .* holds float32"):
        prepared(tmp_path / "a.npz", cache)


def test_which_array(tmp_path: Path, cache: Path) -> None:
    np.savez(tmp_path / "a.npz", one=IMAGES, two=IMAGES)
    with pytest.raises(UserError, match=r"2 arrays that could be images.*one, two"):
        prepared(tmp_path / "a.npz", cache)
