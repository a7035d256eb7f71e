"""Sets of images that are measured: in order, pixel for pixel, never resized."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spatialvae.data.image_set import read_image_set
from spatialvae.errors import UserError
from tests.conftest import smooth_images


def as_folder(images: np.ndarray, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for index, image in enumerate(images):
        Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(folder / f"{index:03d}.png")
    return folder


def test_a_folder_and_an_archive_are_the_same(tmp_path: Path) -> None:
    images = smooth_images(7, 3, 9, 12)
    np.savez(tmp_path / "set.npz", images=images)
    np.save(tmp_path / "last.npy", images.transpose(0, 2, 3, 1))
    for source in (as_folder(images, tmp_path / "set"), tmp_path / "set.npz", tmp_path / "last.npy"):
        assert np.array_equal(read_image_set(str(source)).images.numpy(), images)


def test_grey_becomes_colour_where_asked(tmp_path: Path) -> None:
    np.savez(tmp_path / "grey.npz", images=smooth_images(4, 1)[:, 0])
    assert read_image_set(str(tmp_path / "grey.npz")).images.shape == (4, 1, 16, 16)
    assert read_image_set(str(tmp_path / "grey.npz"), channels=3).images.shape == (4, 3, 16, 16)


def test_images_of_different_sizes(tmp_path: Path) -> None:
    folder = as_folder(smooth_images(2), tmp_path / "mixed")
    Image.new("RGB", (20, 10)).save(folder / "zzz.png")
    with pytest.raises(UserError) as caught:
        read_image_set(str(folder))
    assert "16x16 with 3 channels" in str(caught.value)
    assert "zzz.png is 10x20 with 3 channels" in str(caught.value)


def test_what_is_no_image(tmp_path: Path) -> None:
    folder = as_folder(smooth_images(2), tmp_path / "broken")
    (folder / "005.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(UserError, match=r"005\.png cannot be used"):
        read_image_set(str(folder))
    with pytest.raises(UserError, match="does not exist"):
        read_image_set(str(tmp_path / "missing.npz"))
    np.savez(tmp_path / "none.npz", images=np.zeros((0, 3, 8, 8), np.uint8))
    with pytest.raises(UserError, match="no images"):
        read_image_set(str(tmp_path / "none.npz"))
