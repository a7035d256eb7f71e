"""Fixed splits from the content of the images."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialvae.data.dataset import SPLITS
from spatialvae.data.splits import SplitRule, content_key, fraction_of, split_called, splits_of
from spatialvae.errors import UserError
from tests.conftest import smooth_images
from tests.data.pictures import encoded, everything, members, noise, prepared, write_folder


def test_shares() -> None:
    rule = SplitRule.for_source("own", {})
    keys = [content_key(np.array([[[number % 256, number // 256]]], np.uint8)) for number in range(20_000)]
    places = [rule(None, fraction_of(key)) for key in keys]
    assert 0.045 < places.count("test") / 20_000 < 0.055
    assert 0.045 < places.count("validation") / 20_000 < 0.055


def test_what_the_source_says_is_kept() -> None:
    rule = SplitRule.for_source("own", {name: name for name in SPLITS})
    assert [rule(split, 0.0) for split in SPLITS] == list(SPLITS)
    alone = SplitRule.for_source("own", {"a": "test"})  # a test set alone is one, and nothing to train on
    assert (alone("test", 0.0), alone("test", 0.5), alone.splits) == ("test", "test", ("test",))


@given(
    st.sets(st.floats(0, 1, exclude_max=True), min_size=10),
    st.sampled_from([(), ("train",), ("train", "test")]),
)
def test_no_split_is_empty(fractions: set[float], given_splits: tuple[str, ...]) -> None:
    try:
        rule = SplitRule.for_source("own", {name: name for name in given_splits}).with_every_split(sorted(fractions))
    except UserError:
        assert sum(fraction >= 0.05 for fraction in fractions) < 2
        return
    places = [rule("train", fraction) for fraction in fractions]
    for name in (*rule.carved, "train"):
        assert name in places


@pytest.mark.parametrize("count", [10, 15, 30])
def test_small_sources_have_every_split(tmp_path: Path, cache: Path, count: int) -> None:
    data = prepared(write_folder(tmp_path / "few", noise(count)), cache)
    assert min(len(split) for split in data.splits.values()) >= 1
    assert sum(len(split) for split in data.splits.values()) == len(everything(data)) == count


def test_too_few(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(UserError, match="Too few images: 9"):
        prepared(write_folder(tmp_path / "few", noise(9)), cache)


def test_adding_files_moves_no_others(tmp_path: Path, cache: Path) -> None:
    folder = write_folder(tmp_path / "pictures", noise(150))
    before = prepared(folder, cache)
    write_folder(folder, noise(150, seed=1), first=1000)
    write_folder(folder / "a", noise(50, seed=2))
    after = prepared(folder, cache)
    assert after.fingerprint != before.fingerprint
    for name in SPLITS:
        assert members(before, name) <= members(after, name)


def test_duplicates_share_a_split(tmp_path: Path, cache: Path) -> None:
    images = noise(100)
    folder = write_folder(tmp_path / "pictures", images)
    write_folder(folder, images, first=1000)
    data = prepared(folder, cache)
    assert sum(len(split) for split in data.splits.values()) == 200
    for name in SPLITS:
        assert 2 * len(members(data, name)) == len(data.split(name))


WORDS = {
    "train": ["train", "Training", "trn", "mnist_train", "data-train-0", "trainA", "X_train", "train2014"],
    "validation": ["val", "valid", "VALIDATION", "dev", "holdout", "imagenet.val", "val2017"],
    "test": ["test", "testing", "t10k", "mnist_test", "TestImages", "eval", "x-test-00000-of-00001", "t10k-images"],
}
OTHER_WORDS = ["trainspotting", "latest", "contest", "retrain", "valley", "devil", "evaluate", "Testarossa", "t10kg"]


@pytest.mark.parametrize(("split", "name"), [(split, name) for split, names in WORDS.items() for name in names])
def test_words_of_splits_stand_anywhere_in_a_name(split: str, name: str) -> None:
    assert split_called(name) == split


@pytest.mark.parametrize("name", OTHER_WORDS)
def test_parts_of_other_words_are_none(name: str) -> None:
    assert split_called(name) is None


@pytest.mark.parametrize("name", ["train-test-mix", "test-dev", "train_val"])
def test_words_of_two_splits_say_nothing(name: str) -> None:
    assert split_called(name) is None


def test_the_outermost_name_decides_and_what_all_share_comes_last() -> None:
    def splits(*paths: str) -> list[str | None]:
        return list(splits_of({path: PurePosixPath(path).parts for path in paths}).values())

    assert splits("train/test tube/a", "test/bullet train/a") == ["train", "test"]
    assert splits("my-test/train/a", "my-test/test/a") == ["train", "test"]
    assert splits("bottle/train/good", "bottle/test/broken", "cable/test/good") == ["train", "test", "test"]
    assert splits("test/a", "test/b") == ["test", "test"]
    assert splits("a/b", "c") == [None, None]


@pytest.mark.parametrize("known", ["test", "validation", "train"])
def test_named_and_unnamed_side_by_side_are_refused(known: str) -> None:
    with pytest.raises(UserError, match=f"'own' names {known} images, for instance a, and has 2 of no known split"):
        SplitRule.for_source("own", {"a": known, "b": None, "c": None})


def test_a_test_set_alone_is_kept_and_not_trained_on(tmp_path: Path, cache: Path) -> None:
    images = noise(30)
    write_folder(tmp_path / "own" / "test", images)
    data = prepared(tmp_path / "own", cache)
    assert list(data.splits) == ["test"] and np.array_equal(data.split("test").images, images)
    assert data.channel_means == pytest.approx(images.mean((0, 2, 3)))
    with pytest.raises(UserError, match=r"(?s)'own' names only test images.*folder train/.*by its own path"):
        data.split("train")
    assert set(prepared(tmp_path / "own" / "test", cache).splits) == set(SPLITS)  # named by the user himself


def test_the_same_pixels_written_otherwise_share_a_split(tmp_path: Path, cache: Path) -> None:
    images = noise(100)
    folder = tmp_path / "own"
    folder.mkdir()
    for place, image in enumerate(images):
        for kind, level in (("PNG", 1), ("PNG", 9), ("BMP", 0)):
            (folder / f"{place}-{level}").write_bytes(encoded(image, kind, compress_level=level))
    data = prepared(folder, cache)
    assert sum(len(split) for split in data.splits.values()) == 300
    for name in SPLITS:
        assert 3 * len(members(data, name)) == len(data.split(name))
    assert data.duplicates == {}


def test_an_array_and_its_pictures_are_split_alike(tmp_path: Path, cache: Path) -> None:
    images = noise(100)
    np.save(tmp_path / "own.npy", images)
    of_files, of_array = prepared(write_folder(tmp_path / "own", images), cache), prepared(tmp_path / "own.npy", cache)
    for name in SPLITS:
        assert members(of_files, name) == members(of_array, name)


def test_duplicates_across_given_splits_are_counted(tmp_path: Path, cache: Path) -> None:
    images = noise(30)
    write_folder(tmp_path / "own" / "train", images[:20])
    write_folder(tmp_path / "own" / "val", images[18:22])
    for place, image in enumerate(images[15:30]):  # five of train, two of validation, and eight others
        target = tmp_path / "own" / "test" / f"{place}.bmp"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(encoded(image, "BMP"))
    data = prepared(tmp_path / "own", cache)
    assert data.duplicates == {"validation in train": 2, "test in train": 5, "test in validation": 4}
    assert "duplicates: 5 images of test are pixel for pixel in train too" in data.notes
    assert prepared(tmp_path / "own", cache).duplicates == data.duplicates  # from the cache


@pytest.mark.slow
def test_a_re_encoded_folder_has_no_pixel_on_both_sides(tmp_path: Path, cache: Path) -> None:
    images = smooth_images(200)
    for level in (0, 9):
        folder = tmp_path / "own" / f"level{level}"
        folder.mkdir(parents=True)
        for place, image in enumerate(images):
            (folder / f"{place}.png").write_bytes(encoded(image, compress_level=level))
    data = prepared(tmp_path / "own", cache)
    parts = [members(data, name) for name in SPLITS]
    assert sum(len(data.split(name)) for name in SPLITS) == 400 and sum(map(len, parts)) == 200
    assert parts[0].isdisjoint(parts[1] | parts[2]) and parts[1].isdisjoint(parts[2])


def test_order_is_the_source_s(tmp_path: Path, cache: Path) -> None:
    images = noise(60)
    np.save(tmp_path / "a.npy", images)
    data = prepared(tmp_path / "a.npy", cache)
    places = {image.tobytes(): place for place, image in enumerate(images)}
    for split in data.splits.values():
        order = [places[image.tobytes()] for image in split.images]
        assert order == sorted(order)
