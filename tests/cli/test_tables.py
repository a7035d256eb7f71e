"""`spatialvae data` and `spatialvae latents`: what there is to choose from."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spatialvae.data import prepare
from spatialvae.data.batches import some_images
from spatialvae.latents import parse_latent, variants
from spatialvae.picture_grid import grid, save_picture
from tests.cli.program import spatialvae
from tests.conftest import smooth_images

PAPER = {"vector": 162, "naive": 1152, "matrix-normal": 960, "low-rank": 768}
PAPER_32 = {"vector": 300, "naive": 2304, "matrix-normal": 1920, "low-rank": 1536}


def test_data_as_json(images: Path) -> None:
    result = spatialvae("data", images, "--json").json
    assert (result["height"], result["width"], result["channels"]) == (8, 8, 1)
    assert sum(result["splits"].values()) == 120
    assert set(result["splits"]) == {"train", "validation", "test"}
    assert 0 < result["channel_means"][0] < 255
    assert (result["skipped"], result["source"]) == (0, str(images))
    assert re.fullmatch("[0-9a-f]+", result["fingerprint"])
    with Image.open(result["grid"]) as picture:
        assert picture.size == (8 * 34 + 2, 8 * 34 + 2)
    assert spatialvae("data", images, "--json").json == result


def test_the_grid_is_of_all_classes(tmp_path: Path) -> None:
    shades = np.repeat(np.array([0, 90, 180], np.uint8), 100)[:, None, None, None]
    np.savez(tmp_path / "sorted.npz", images=shades + smooth_images(300, 1, 8, 8) // 8)
    result = spatialvae("data", tmp_path / "sorted.npz", "--json").json
    expected = grid(some_images(prepare(str(tmp_path / "sorted.npz")).split("train"), 64))
    save_picture(expected, tmp_path / "expected.png")
    with Image.open(result["grid"]) as picture, Image.open(tmp_path / "expected.png") as wanted:
        assert np.array_equal(np.asarray(picture), np.asarray(wanted))
        cells = np.asarray(picture.convert("L"))[6::34, 6::34][:8, :8] // 90
    assert set(cells.flatten().tolist()) == {0, 1, 2}


def test_data_in_words(images: Path) -> None:
    result = spatialvae("data", images, "--image-size", "16x12")
    assert result.code == 0
    assert "120 images of 16x12, 1 channel(s)" in result.out
    assert [line.split(":")[0] for line in result.out.splitlines()[1:]] == [
        "splits",
        "classes",
        "channel means (0 to 255)",
        "fingerprint",
        "grid",
    ]


def test_digits_are_embedded() -> None:
    result = spatialvae("data", "digits", "--json").json
    assert sum(result["splits"].values()) == 1797
    assert result["label_names"] == [str(digit) for digit in range(10)]


def test_bad_pictures_are_listed_or_skipped(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, image in enumerate(smooth_images(30, 3, 8, 8)):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{index}.png")
    (folder / "letter.png").write_text("Dear reader")
    message = spatialvae("data", folder, "--json").complaint
    assert "letter.png" in message and "--skip-bad-images" in message
    result = spatialvae("data", folder, "--skip-bad-images", "--json").json
    assert (result["skipped"], sum(result["splits"].values())) == (1, 30)
    assert "skipped: 1 pictures" in spatialvae("data", folder, "--skip-bad-images").out


def test_what_is_passed_over_or_twice_is_told(tmp_path: Path) -> None:
    images = smooth_images(40, 3, 8, 8)
    for split, chosen in (("train", range(30)), ("test", range(28, 40))):
        (tmp_path / "own" / split).mkdir(parents=True)
        for index in chosen:
            Image.fromarray(images[index].transpose(1, 2, 0)).save(tmp_path / "own" / split / f"{index}.png")
    (tmp_path / "own" / "a.jxl").write_bytes(b"\xff\x0a")
    notes = ["passed over: 1 file (.jxl 1)", "duplicates: 2 images of test are pixel for pixel in train too"]
    assert [line for line in spatialvae("data", tmp_path / "own").out.splitlines() if line in notes] == notes
    result = spatialvae("data", tmp_path / "own", "--json").json
    assert (result["passed_over"], result["duplicates"], result["notes"]) == ({".jxl": 1}, {"test in train": 2}, notes)


def test_a_test_set_alone_is_shown(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", test_images=smooth_images(12, 1, 8, 8))
    assert spatialvae("data", tmp_path / "a.npz", "--json").json["splits"] == {"test": 12}
    message = spatialvae("train", "--data", tmp_path / "a.npz", "--out", tmp_path / "run").complaint
    assert "names only test images" in message and not (tmp_path / "run").exists()


def test_an_ambiguous_array_offers_the_layout(tmp_path: Path) -> None:
    np.save(tmp_path / "odd.npy", smooth_images(30, 3, 9, 3))
    message = spatialvae("data", tmp_path / "odd.npy", "--image-size", 8).complaint
    assert "--layout" in message
    result = spatialvae("data", tmp_path / "odd.npy", "--layout", "nchw", "--image-size", 8, "--json").json
    assert result["channels"] == 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("digts", ["'digts'", "'digits'"]),
        ("cifar-10", ["'cifar-10'", "'cifar10'"]),
        ("digits --crop middle", ["'middle'", "center"]),
        ("digits --image-size 7", ["7", "8"]),
    ],
)
def test_data_mistakes(line: str, words: list[str]) -> None:
    message = spatialvae("data", *line.split()).complaint
    assert all(word in message for word in words), message


@pytest.mark.parametrize(("maps", "outputs"), [(64, PAPER), (128, PAPER_32)])
def test_latents_have_the_papers_encoder_outputs(maps: int, outputs: dict[str, int]) -> None:
    rows = spatialvae("latents", "--maps", maps, "--json").json["latents"]
    assert [row["name"] for row in rows] == list(variants((maps, 3, 3)))
    results = {row["name"]: row["encoder_outputs"] for row in rows}
    assert results | outputs == results
    assert results["tensor-normal"] == 9 * maps + 6
    assert {row["name"].split(":")[0] for row in rows if row["shared_numbers"]} == {"tensor-normal"}
    assert all(row["description"] and row["equation"] for row in rows)


def test_latents_of_another_size() -> None:
    rows = {
        row["name"]: row for row in spatialvae("latents", "--maps", 2, "--map-size", "3x5", "--json").json["latents"]
    }
    assert rows["naive"]["maps"] == [2, 3, 5]
    assert rows["low-rank"]["encoder_outputs"] == 2 * 2 * (3 + 5)


def test_latents_as_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    printed = spatialvae("latents").out
    for name, outputs in PAPER.items():
        row = next(line for line in printed.splitlines() if f" {name} " in line)
        assert f" {outputs} " in row
        assert parse_latent(name, (64, 3, 3)).equation in row


def test_classes_are_counted(tmp_path: Path) -> None:
    labels = np.array([*range(12)] * 5)
    labels[5:50] = -1
    np.savez(tmp_path / "a.npz", train_images=smooth_images(60, 1, 8, 8), train_labels=labels)
    result = spatialvae("data", tmp_path / "a.npz", "--json").json
    assert list(result["classes"]) == [str(number) for number in range(12)]
    assert sum(result["unlabelled"].values()) == 45
    assert sum(sum(counts.values()) for counts in result["classes"].values()) == 15
    lines = spatialvae("data", tmp_path / "a.npz").out.splitlines()
    assert lines[2] == "classes: 12 (images in train, validation, test)"
    assert lines[12:15] == [
        f"  9: {', '.join(str(count) for count in result['classes']['9'].values())}",
        "  ... and 2 more (--json has all)",
        f"  (no label): {', '.join(str(count) for count in result['unlabelled'].values())}",
    ]
