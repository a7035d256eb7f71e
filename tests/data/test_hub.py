"""Data sets of the `datasets` library, without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from spatialvae.errors import UserError
from tests.data.pictures import encoded, everything, noise, prepared

FEATURES = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})


def data_set(images: np.ndarray) -> datasets.Dataset:
    table = {
        "image": [{"bytes": encoded(image), "path": None} for image in images],
        "label": [int(image[0, 0, 0]) % 2 for image in images],
    }
    return datasets.Dataset.from_dict(table, features=FEATURES)


def answer(monkeypatch: pytest.MonkeyPatch, **splits: np.ndarray) -> list[str]:
    asked: list[str] = []

    def load_dataset(repository: str, **settings: Any) -> datasets.DatasetDict:
        assert not settings.get("trust_remote_code")
        asked.append(repository)
        return datasets.DatasetDict({name: data_set(images) for name, images in splits.items()})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


def test_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = noise(50)
    asked = answer(monkeypatch, train=images[:40], test=images[40:], unsupervised=noise(5, seed=9))
    data = prepared("hub:some-one/some.set", cache)
    assert asked == ["some-one/some.set"]
    assert (data.name, data.source, data.label_names) == ("some.set", "hub:some-one/some.set", ["cat", "dog"])
    assert np.array_equal(data.split("test").images, images[40:])
    assert everything(data) == {image.tobytes() for image in images}
    assert data.notes == ["passed over: 5 images of the split unsupervised"]
    labels = data.split("test").labels
    assert labels is not None and labels.tolist() == [int(image[0, 0, 0]) % 2 for image in images[40:]]
    again = prepared("hub:some-one/some.set", cache)
    assert again.fingerprint == data.fingerprint
    answer(monkeypatch, train=images[:39], test=images[39:])
    assert prepared("hub:some-one/some.set", cache).fingerprint != data.fingerprint


def test_unnamed_splits_are_pooled(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, full=noise(30))
    assert sum(len(split) for split in prepared("hub:a/b", cache).splits.values()) == 30


def test_a_named_test_set_is_never_pooled(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, test_easy=noise(12))
    assert list(prepared("hub:a/b", cache).splits) == ["test"]
    answer(monkeypatch, full=noise(30), test=noise(12, seed=1))
    with pytest.raises(UserError, match=r"names test images.*for instance full"):
        prepared("hub:a/b", cache)


def test_celeba_is_cropped_and_resized(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(
        monkeypatch,
        train=noise(12, 3, 218, 178),
        valid=noise(2, 3, 218, 178, 1),
        test=noise(2, 3, 218, 178, 2),
    )
    data = prepared("celeba", cache)
    assert asked == ["flwrlabs/celeba"]
    assert (data.height, data.width, len(data.split("validation"))) == (64, 64, 2)
    assert prepared("celeba", cache, image_size=(32, 32)).height == 32


def test_out_of_reach(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(repository: str) -> None:
        raise ConnectionError(f"Couldn't reach {repository}\nand more lines")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(UserError) as caught:
        prepared("mnist", cache)
    first, second = str(caught.value).splitlines()
    assert "ylecun/mnist" in first and "local copy" in second


def test_offline_for_real(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="could not be fetched"):
        prepared("hub:no-such-owner/no-such-set", cache)


def test_wrong_names_and_columns(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="hub:OWNER/NAME"):
        prepared("hub:just-a-name", cache)
    plain = datasets.DatasetDict({"train": datasets.Dataset.from_dict({"text": ["a"]})})
    monkeypatch.setattr(datasets, "load_dataset", lambda repository: plain)
    with pytest.raises(UserError, match=r"no image column.*text"):
        prepared("hub:a/b", cache)


def test_saved_folders(tmp_path: Path, cache: Path) -> None:
    images = noise(40)
    data_set(images).save_to_disk(tmp_path / "one")
    assert everything(prepared(tmp_path / "one", cache)) == {image.tobytes() for image in images}
    both = datasets.DatasetDict({"train": data_set(images[:30]), "test": data_set(images[30:])})
    both.save_to_disk(tmp_path / "two")
    data = prepared(tmp_path / "two", cache)
    assert np.array_equal(data.split("test").images, images[30:])
    assert (data.name, data.label_names) == ("two", ["cat", "dog"])
    assert prepared(tmp_path / "two", cache).fingerprint == data.fingerprint
    (tmp_path / "one" / "state.json").write_text("{}")
    with pytest.raises(UserError, match="is a saved data set that cannot be read"):
        prepared(tmp_path / "one", cache)
