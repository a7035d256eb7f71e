"""What a run keeps of its data: complete, read back as it was, and refused in plain words when damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spatialvae.data import ImageData, ImageOptions
from spatialvae.data.record import DataRecord
from spatialvae.errors import UserError
from spatialvae.records import as_json
from tests.data.pictures import noise, prepared

OPTIONS = ImageOptions((24, 16), "center", "nhwc", skip_bad_images=True, channels=1)


def test_a_record_says_all_and_is_read_back(tmp_path: Path, cache: Path) -> None:
    np.save(tmp_path / "a.npy", noise(40).transpose(0, 2, 3, 1))
    data = prepared(tmp_path / "a.npy", cache, **vars(OPTIONS))
    record = DataRecord.of(data)
    assert (record.source, record.options, record.fingerprint) == (str(tmp_path / "a.npy"), OPTIONS, data.fingerprint)
    assert record.images == {name: len(split) for name, split in data.splits.items()}
    (tmp_path / "data.json").write_text(json.dumps(as_json(record)))
    assert DataRecord.read(tmp_path / "data.json") == record
    assert DataRecord.read(tmp_path / "none.json") is None


def test_settings_and_words() -> None:
    record = DataRecord("/p/a.npy", "a", OPTIONS, "0a", {"train": 3})
    assert record.settings == {
        "data": "/p/a.npy",
        "image_size": "24x16",
        "crop": "center",
        "layout": "nhwc",
        "skip_bad_images": True,
        "channels": 1,
    }
    assert record.words == "/p/a.npy `image_size` 24x16 `crop` center `layout` nhwc `skip_bad_images` `channels` 1"
    assert DataRecord.of(ImageData.from_arrays({"train": noise(3)})).words == "arrays in memory"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fingerprint": None}, "fingerprint"),
        ({"options": {"crop": 148}}, "options.crop"),
        ({"images": {"train": "many"}}, "images.train"),
        ({"options": {"crop": "centre"}}, "'centre' is not known"),
    ],
)
def test_a_damaged_record(tmp_path: Path, change: dict, words: str) -> None:
    path, record = tmp_path / "data.json", DataRecord("digits", "digits", ImageOptions(), "0a", {"train": 3})
    path.write_text(json.dumps({**as_json(record), **change}))
    with pytest.raises(UserError, match=words):
        DataRecord.read(path)
    for text in (b"", b"{", b"[]", b"\xff\xfe"):
        path.write_bytes(text)
        with pytest.raises(UserError, match=f"{path} is (damaged|not valid JSON)"):
            DataRecord.read(path)
