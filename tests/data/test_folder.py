"""Folders of pictures."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spatialvae.data.image_set import read_image_set
from spatialvae.errors import UserError
from tests.data.pictures import encoded, everything, members, noise, picture, prepared, write_folder


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


@pytest.mark.parametrize("names", [("partial-train", "partial-test"), ("trainA", "testA"), ("TRAIN", "t10k")])
def test_words_in_the_names_of_folders(tmp_path: Path, cache: Path, names: tuple[str, str]) -> None:
    images = noise(40)
    for name, part in zip(names, (images[:30], images[30:]), strict=True):
        write_folder(tmp_path / "own" / name / "cat", part[::2])
        write_folder(tmp_path / "own" / name / "dog", part[1::2])
    data = prepared(tmp_path / "own", cache)
    assert members(data, "test") == {image.tobytes() for image in images[30:]}
    assert data.label_names == ["cat", "dog"]


def test_splits_below_classes_and_below_a_wrapper(tmp_path: Path, cache: Path) -> None:
    images = noise(40)
    for name, part in (("cat", images[:20]), ("dog", images[20:])):
        write_folder(tmp_path / "own" / "test-bench" / name / "train", part[:15])
        write_folder(tmp_path / "own" / "test-bench" / name / "test", part[15:])
    data = prepared(tmp_path / "own", cache)
    assert members(data, "test") == {image.tobytes() for image in (*images[15:20], *images[35:])}
    assert data.label_names == ["cat", "dog"]


def test_words_in_the_names_of_pictures(tmp_path: Path, cache: Path) -> None:
    images = noise(40)
    folder = tmp_path / "own"
    folder.mkdir()
    for place, image in enumerate(images):
        (folder / f"COCO_{'train' if place < 30 else 'val'}2014_{place:04}.png").write_bytes(encoded(image))
    assert members(prepared(folder, cache), "validation") == {image.tobytes() for image in images[30:]}
    (folder / "trainspotting.png").write_bytes(encoded(noise(1, seed=1)[0]))  # not all names say one: none does
    assert len(prepared(folder, cache).split("train")) > 30


def test_classes_whose_names_have_such_words(tmp_path: Path, cache: Path) -> None:
    images = noise(40)
    for name, part in (("beaker", images[:20]), ("test tube", images[20:])):
        write_folder(tmp_path / "lab" / name, part)
    assert prepared(tmp_path / "lab", cache).label_names == ["beaker", "test tube"]
    for name, part in (("beach", images[:20]), ("train_station", images[20:])):
        write_folder(tmp_path / "places" / name, part)
    assert prepared(tmp_path / "places", cache).label_names == ["beach", "train_station"]


@pytest.mark.parametrize("names", [("images", "test"), ("faces", "faces_test"), ("all", "val")])
def test_a_named_test_set_is_never_pooled(tmp_path: Path, cache: Path, names: tuple[str, str]) -> None:
    for place, name in enumerate(names):
        write_folder(tmp_path / "own" / name, noise(20, seed=place))
    with pytest.raises(UserError, match=r"(?s)names (test|validation) images.*of no known split.*own path, or rename"):
        prepared(tmp_path / "own", cache)
    assert len(read_image_set(str(tmp_path / "own")).images) == 40  # whole, it can be measured


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
    assert message.startswith("12 of the images in 'own'") and "skip_bad_images" in message
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
    with pytest.raises(UserError, match=r"(?s)0000\.png is 8x8, 0100\.png is 16x12.*image_size"):
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


def test_mutual_links_and_links_to_themselves(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(10))
    for name, other in (("a", "b"), ("b", "a")):
        write_folder(folder / name, noise(2, seed=ord(name)))
        (folder / name / other).symlink_to(Path("..") / other, target_is_directory=True)
    assert sum(len(split) for split in prepared(folder, cache).splits.values()) == 14
    (folder / "one.png").symlink_to("two.png")
    (folder / "two.png").symlink_to("one.png")
    with pytest.raises(UserError, match=r"2 of the images.*\n.*one\.png: cannot be read"):
        prepared(folder, cache)


def test_a_link_upwards_is_not_followed(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "around" / "own", noise(10))
    write_folder(tmp_path / "around" / "other", noise(5, seed=1))
    (folder / "up").symlink_to(tmp_path / "around", target_is_directory=True)
    assert sum(len(split) for split in prepared(folder, cache).splits.values()) == 10


def test_names_that_are_no_text(tmp_path: Path, cache: Path) -> None:
    images = noise(40)
    for name, part in ((b"caf\xe9", images[:20]), (b"th\xe9", images[20:])):
        try:
            write_folder(tmp_path / "own" / os.fsdecode(name), part)
        except OSError:
            pytest.skip("this file system has no such names")
    (tmp_path / "own" / os.fsdecode(b"th\xe9") / os.fsdecode(b"\xff.png")).write_bytes(b"")
    with pytest.raises(UserError) as caught:
        prepared(tmp_path / "own", cache)
    assert r"th\xe9/\xff.png: the file is empty" in str(caught.value)
    data = prepared(tmp_path / "own", cache, skip_bad_images=True)
    assert everything(data) == {image.tobytes() for image in images}
    assert data.label_names == [r"caf\xe9", r"th\xe9"]


def test_what_is_passed_over_is_counted_by_suffix(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(10))
    for name in ("a.jxl", "b.JXL", "c.tga", "deep.ico", "raw.nef", "notes.txt", "README", ".hidden.jxl"):
        (folder / name).write_bytes(b"II*\0" if name == "raw.nef" else b"\xff\x0a")
    data = prepared(folder, cache)
    assert data.passed_over == {".jxl": 2, ".tga": 1, ".ico": 1, ".nef": 1, ".txt": 1, "without a suffix": 1}
    assert data.notes == ["passed over: 7 files (.jxl 2, .ico 1, .nef 1, .tga 1, .txt 1, without a suffix 1)"]
    (folder / "more.jxl").write_bytes(b"\xff\x0a")
    again = prepared(folder, cache)
    assert again.passed_over[".jxl"] == 3 and again.fingerprint == data.fingerprint


def test_only_what_is_passed_over(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.jxl").write_bytes(b"\xff\x0a")
    with pytest.raises(UserError, match=r"no pictures.*It has 1 \.jxl"):
        prepared(tmp_path / "own", cache)


def test_pictures_of_other_suffixes_are_read(tmp_path: Path, cache: Path) -> None:
    images = noise(12)
    folder = write_folder(tmp_path / "own", images[:10])
    for image, suffix in zip(images[10:], ("jp2", "j2k"), strict=True):
        (folder / f"a.{suffix}").write_bytes(encoded(image, "JPEG2000"))
    assert everything(prepared(folder, cache)) == {image.tobytes() for image in images}


def test_further_frames_and_small_numbers_are_noted(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(10, 1))
    frames = [picture(image) for image in noise(2, 1, seed=1)]
    (folder / "a.gif").write_bytes(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    values = np.linspace(0, 4095, 64).astype(np.uint16).reshape(8, 8)
    (folder / "b.png").write_bytes(encoded(Image.fromarray(values)))
    for data in (prepared(folder, cache), prepared(folder, cache)):
        assert data.notes == [
            "the first frame or page is taken of 1 picture with more than one",
            "no value is above 4095 of 65535 in 1 picture of 16 bits: scale them first if their white is there",
        ]
    (folder / "c.png").write_bytes(encoded(Image.fromarray(values * 16)))
    assert len(prepared(folder, cache).notes) == 1  # so they were of 16 bits
    (folder / "c.png").unlink()
    (folder / "b.png").write_bytes(encoded(Image.fromarray(values // 16)))
    with pytest.raises(UserError, match=r"No value is above 255.*16 bits of 'own': all would be black"):
        prepared(folder, cache)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_special_files_are_passed_over(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(10))
    os.mkfifo(folder / "pipe.png")
    assert len(everything(prepared(folder, cache))) == 10
