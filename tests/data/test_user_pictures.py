"""Pictures at use: the same files count as in training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spatialvae.data.options import ImageOptions
from spatialvae.data.user_pictures import read_pictures
from spatialvae.errors import UserError
from tests.data.pictures import encoded, noise, picture, prepared, write_folder

EIGHT = ImageOptions(image_size=(8, 8), crop="center")
SKIPPING = replace(EIGHT, skip_bad_images=True)


def test_below_a_folder_the_same_counts_as_in_training(tmp_path: Path, cache: Path) -> None:
    images = noise(14)
    folder = write_folder(tmp_path / "own", images[:10])
    write_folder(folder / "deep" / "er", images[10:])
    write_folder(folder / ".hidden", noise(3, seed=1))
    (folder / "__MACOSX").mkdir()
    for name in (".a.png", "._b.png", "__MACOSX/c.png"):
        (folder / name).write_bytes(b"no picture")
    (folder / "d.jxl").write_bytes(b"\xff\x0a")
    (folder / "notes.txt").write_text("GIF89a")
    pixels, names, notes = read_pictures([folder], EIGHT, 3)
    assert np.array_equal(pixels.numpy(), images)
    assert names[0] == str(folder / "0000.png") and names[-1] == str(folder / "deep" / "er" / "0003.png")
    assert notes == prepared(folder, cache).notes == ["passed over: 2 files (.jxl 1, .txt 1)"]


def test_bad_pictures_stop_or_are_skipped(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "own", noise(3))
    (folder / "0001.png").write_bytes(b"")
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(UserError, match=r"0001\.png cannot be used: the file is empty.*skip_bad_images"):
        read_pictures([folder], EIGHT, 3)
    pixels, names, notes = read_pictures([folder], SKIPPING, 3)
    assert len(pixels) == len(names) == 2
    assert "0001.png cannot be used" in notes[0] and "gone.png cannot be used" in notes[1]
    with pytest.raises(UserError, match="None of the 1 pictures can be used"):
        read_pictures([folder / "0001.png"], SKIPPING, 3)


def test_what_was_seen_is_noted(tmp_path: Path) -> None:
    frames = [picture(image) for image in noise(2)]
    (tmp_path / "a.gif").write_bytes(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    (tmp_path / "b.png").write_bytes(encoded(Image.fromarray(np.full((8, 8), 4095, np.uint16))))
    _, _, notes = read_pictures([tmp_path], EIGHT, 3)
    assert [note.split(" ")[0] for note in notes] == ["the", "no"]


def test_paths_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_pictures([tmp_path / "a.png"], EIGHT, 3)
    with pytest.raises(UserError, match="holds no pictures"):
        read_pictures([tmp_path], EIGHT, 3)
