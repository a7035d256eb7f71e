"""Folders of pictures."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spatialvae.errors import UserError
from tests.data.pictures import encoded, everything, members, noise, prepared, write_folder


def test_nested_folder_with_other_files_beside(tmp_path: Path, cache: Path) -> None:
    images = noise(20)
    folder = write_folder(tmp_path / "own", images[:12])
    write_folder(folder / "deep" / "er", images[12:])
    (folder / "notes.txt").write_text("GIF89a is how a GIF starts")
    (folder / "list.json").write_text("{}")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (folder / "README").write_text("BMW drives past")
    data = prepared(folder, cache)
    assert everything(data) == {image.tobytes() for image in images}
    assert (data.name, data.skipped, data.label_names) == ("own", 0, None)


def test_content_decides_over_the_name(tmp_path: Path, cache: Path) -> None:
    images = noise(12)
    folder = write_folder(tmp_path / "own", images[:10])
    (folder / "really-png.jpg").write_bytes(encoded(images[10]))
    (folder / "no-suffix").write_bytes(encoded(images[11], "BMP"))
    assert everything(prepared(folder, cache)) == {image.tobytes() for image in images}


def test_splits_of_a_folder(tmp_path: Path, cache: Path) -> None:
    images = noise(60)
    for name, part in (("train", images[:40]), ("val", images[40:50]), ("test", images[50:])):
        write_folder(tmp_path / "own" / name, part)
    data = prepared(tmp_path / "own", cache)
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 40,
        "validation": 10,
        "test": 10,
    }
    assert np.array_equal(data.split("test").images, images[50:])
    write_folder(tmp_path / "own", images[:1])
    with pytest.raises(UserError, match=r"outside of train.*0000\.png"):
        prepared(tmp_path / "own", cache)


def test_validation_is_carved_from_train(tmp_path: Path, cache: Path) -> None:
    images = noise(40)
    write_folder(tmp_path / "own" / "train", images[:30])
    write_folder(tmp_path / "own" / "test", images[30:])
    data = prepared(tmp_path / "own", cache)
    assert np.array_equal(data.split("test").images, images[30:])
    assert len(data.split("validation")) >= 1
    assert members(data, "train") | members(data, "validation") == {image.tobytes() for image in images[:30]}


def test_class_folders_are_labels(tmp_path: Path, cache: Path) -> None:
    images = noise(30)
    write_folder(tmp_path / "own" / "dog", images[:15])
    write_folder(tmp_path / "own" / "cat", images[15:])
    data = prepared(tmp_path / "own", cache)
    assert data.label_names == ["cat", "dog"]
    label_of = {image.tobytes(): int(place < 15) for place, image in enumerate(images)}
    for split in data.splits.values():
        assert split.labels is not None and split.labels.dtype == np.int64
        assert [label_of[image.tobytes()] for image in split.images] == split.labels.tolist()


def test_bad_images_are_listed_and_counted(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(20))
    png = encoded(noise(1, 3, 64, 64)[0])
    for number in range(8):
        (folder / f"empty{number}.jpg").write_bytes(b"")
    (folder / "a-text.png").write_text("hello")
    (folder / "cut.png").write_bytes(png[: len(png) // 2])
    (folder / "huge.png").write_bytes(encoded(Image.new("1", (15_000, 15_000))))
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(UserError) as caught:
        prepared(folder, cache)
    message = str(caught.value)
    assert message.startswith("12 of the images in 'own'") and "--skip-bad-images" in message
    assert "a-text.png: not a picture" in message and "zero bytes" in message
    assert message.count("\n") == 11 and message.endswith("... and 2 more")
    assert not list(cache.glob("[0-9a-f]*[0-9a-f]/info.json"))
    data = prepared(folder, cache, skip_bad_images=True)
    assert data.skipped == 12 and len(everything(data)) == 20


def test_nothing_usable(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no pictures"):
        prepared(tmp_path / "empty", cache)
    (tmp_path / "empty" / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match="all 1 are unreadable"):
        prepared(tmp_path / "empty", cache, skip_bad_images=True)


def test_sizes_must_agree_or_be_given(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(12))
    write_folder(folder, noise(3, height=16, width=12), first=100)
    with pytest.raises(UserError, match=r"(?s)0000\.png is 8x8, 0100\.png is 16x12.*--image-size"):
        prepared(folder, cache)
    data = prepared(folder, cache, image_size=(8, 16))
    assert (data.height, data.width) == (8, 16)


def test_smallest_side(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(12, height=7))
    with pytest.raises(UserError, match=r"7x8.*8 pixels"):
        prepared(folder, cache)


def test_grey_stays_grey_and_a_mixture_is_colour(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(20, 1))
    assert prepared(folder, cache).channels == 1
    write_folder(folder, noise(2), first=100)
    mixed = prepared(folder, cache)
    assert mixed.channels == 3 and len(mixed.channel_means) == 3
    assert sum(len(split) for split in mixed.splits.values()) == 22
    assert prepared(folder, cache, channels=1).channels == 1


def test_links_are_followed_but_not_in_circles(tmp_path: Path, cache: Path) -> None:
    images = noise(14)
    folder = write_folder(tmp_path / "own", images[:10])
    elsewhere = write_folder(tmp_path / "elsewhere", images[10:])
    (folder / "linked").symlink_to(elsewhere, target_is_directory=True)
    (folder / "round").symlink_to(folder, target_is_directory=True)
    (elsewhere / "back").symlink_to(folder, target_is_directory=True)
    data = prepared(folder, cache)
    assert sum(len(split) for split in data.splits.values()) == 14


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_special_files_are_passed_over(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(10))
    os.mkfifo(folder / "pipe.png")
    assert len(everything(prepared(folder, cache))) == 10
