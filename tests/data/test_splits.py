"""Fixed splits from the content of the images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialvae.data.dataset import SPLITS
from spatialvae.data.splits import SplitRule, content_key, fractions_of
from spatialvae.errors import UserError
from tests.data.pictures import everything, members, noise, prepared, write_folder


def test_shares() -> None:
    rule = SplitRule.for_source("own", {})
    keys = [content_key(np.array([[[number % 256, number // 256]]], np.uint8)) for number in range(20_000)]
    places = [rule(None, fraction) for fraction in fractions_of(keys)]
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


def test_order_is_the_source_s(tmp_path: Path, cache: Path) -> None:
    images = noise(60)
    np.save(tmp_path / "a.npy", images)
    data = prepared(tmp_path / "a.npy", cache)
    places = {image.tobytes(): place for place, image in enumerate(images)}
    for split in data.splits.values():
        order = [places[image.tobytes()] for image in split.images]
        assert order == sorted(order)
