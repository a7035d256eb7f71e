"""The commands that draw: sample, reconstruct, interpolate. What they write, how repeatably, and what they refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spatialvae.picture_grid import GAP
from spatialvae.store import load
from tests.cli.looks import CELL, arrays, size
from tests.cli.program import spatialvae
from tests.conftest import smooth_images


def test_a_grid(run: Path, tmp_path: Path) -> None:
    result = spatialvae("sample", run, "--count", 5, "--columns", 5, "--out", tmp_path / "a.png", "--json").json
    assert result["count"] == 5
    assert result["prior"] == "gaussian"  # the fitted one, where there is one
    assert size(tmp_path / "a.png") == (5 * CELL + GAP, CELL + GAP)
    assert spatialvae("sample", run, "--out", tmp_path / "b.png").out == (
        f"64 pictures from the gaussian prior: {tmp_path / 'b.png'}\n"
    )
    assert size(tmp_path / "b.png") == (8 * CELL + GAP, 8 * CELL + GAP)


def test_an_array(run: Path, tmp_path: Path) -> None:
    assert spatialvae("sample", run, "--count", 7, "--seed", 3, "--out", tmp_path / "a.npz").code == 0
    images = arrays(tmp_path / "a.npz")
    assert (images.shape, images.dtype) == ((7, 1, 8, 8), np.uint8)
    assert np.array_equal(images, load(run).sample(7, seed=3, prior="gaussian").numpy())


def test_a_folder(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "pictures"
    assert spatialvae("sample", run, "--count", 3, "--out", out).code == 0
    assert sorted(path.name for path in out.iterdir()) == ["000000.png", "000001.png", "000002.png"]
    expected = load(run).sample(3, seed=0, prior="gaussian").numpy()
    for index in range(3):
        with Image.open(out / f"{index:06d}.png") as picture:
            assert np.array_equal(np.asarray(picture), expected[index, 0])


@pytest.mark.parametrize("name", ["a.png", "a.npz"])
def test_the_same_seed_gives_the_same_pictures(run: Path, tmp_path: Path, name: str) -> None:
    for folder, seed in (("one", 1), ("again", 1), ("other", 2)):
        assert spatialvae("sample", run, "--count", 4, "--seed", seed, "--out", tmp_path / folder / name).code == 0
    one, again, other = ((tmp_path / folder / name).read_bytes() for folder in ("one", "again", "other"))
    assert one == again
    assert one != other


def test_priors_and_temperature(run: Path, tmp_path: Path) -> None:
    def drawn(name: str, *flags: object) -> np.ndarray:
        out = tmp_path / f"{name}.npz"
        assert spatialvae("sample", run, "--count", 4, *flags, "--out", out).code == 0
        return arrays(out)

    standard = drawn("standard", "--prior", "standard")
    assert np.array_equal(standard, load(run).sample(4, seed=0, prior="standard").numpy())
    cold = drawn("cold", "--temperature", 0)
    assert (cold == cold[:1]).all()


def test_pixels_are_means_modes_or_samples(run: Path, tmp_path: Path, pictures: list[Path]) -> None:
    for command, *given in (("sample", run, "--count", 3), ("reconstruct", run, pictures[0])):
        made = {}
        for pixels in ("mean", "mode", "sample"):
            out = tmp_path / f"{command}-{pixels}.npz"
            assert spatialvae(command, *given, "--pixels", pixels, "--json", "--out", out).json["pixels"] == pixels
            made[pixels] = arrays(out)
        assert np.array_equal(made["mean"], made["mode"])  # of a Gaussian
        assert not np.array_equal(made["mean"], made["sample"])
        refused = spatialvae(command, *given, "--pixels", "means", "--out", tmp_path / "no.npz")
        assert refused.code == 2
        assert "--pixels 'means' is not possible. Did you mean 'mean'?" in refused.err


def test_a_run_without_a_fitted_prior_draws_from_the_standard_one(own_run: Path, tmp_path: Path) -> None:
    (own_run / "prior-gaussian.safetensors").unlink()
    result = spatialvae("sample", own_run, "--count", 2, "--out", tmp_path / "a.png", "--json").json
    assert result["prior"] == "standard"


def test_a_folder_of_two_files_is_enough(run: Path, tmp_path: Path, pictures: list[Path]) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "model").mkdir(exist_ok=True)
        shutil.copy(run / name, tmp_path / "model" / name)
    assert spatialvae("sample", tmp_path / "model", "--out", tmp_path / "a.png").code == 0
    assert spatialvae("reconstruct", tmp_path / "model", *pictures, "--out", tmp_path / "b.png").code == 0


@pytest.mark.parametrize("name", ["a.png", "a.npz", "folder"])
def test_nothing_is_overwritten_unasked(run: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    assert spatialvae("sample", run, "--count", 5, "--out", out).code == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    message = spatialvae("sample", run, "--count", 3, "--seed", 1, "--out", out).complaint
    assert str(out) in message and "--overwrite" in message
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert spatialvae("sample", run, "--count", 3, "--seed", 1, "--out", out, "--overwrite").code == 0
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert set(after.values()).isdisjoint(before.values())
    assert len(after) == (3 if name == "folder" else 1)  # no picture of the larger set is left


def test_overwriting_a_folder_leaves_other_files(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert spatialvae("sample", run, "--count", 1, "--out", tmp_path / "out", "--overwrite").code == 0
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_an_empty_folder_is_free(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert spatialvae("sample", run, "--count", 1, "--out", tmp_path / "out").code == 0


def test_reconstructions_of_files_and_folders(run: Path, tmp_path: Path, pictures: list[Path]) -> None:
    result = spatialvae("reconstruct", run, *pictures, "--out", tmp_path / "pairs.png", "--json").json
    assert [pair["picture"] for pair in result["pictures"]] == [str(path) for path in pictures]
    assert all(5 < pair["psnr"] <= 100 for pair in result["pictures"])
    assert size(tmp_path / "pairs.png") == (3 * CELL + GAP, 2 * CELL + GAP)
    alone = spatialvae("reconstruct", run, *pictures, "--out", tmp_path / "alone").out
    assert alone.splitlines()[-1] == f"reconstructions: {tmp_path / 'alone'}"
    words = spatialvae("reconstruct", run, pictures[0].parent, "--out", tmp_path / "again.png")
    assert [line.split()[0] for line in words.out.splitlines()[:3]] == [str(path) for path in pictures]
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "pairs.png").read_bytes()


def test_reconstructions_of_a_folder_as_it_is(run: Path, tmp_path: Path, pictures: list[Path]) -> None:
    folder = tmp_path / "own" / "deep"
    shutil.copytree(pictures[0].parent, folder)
    (folder / ".DS_Store").write_bytes(b"Bud1")
    (folder / "._a.png").write_bytes(b"Mac OS X")
    (folder / "a.jxl").write_bytes(b"\xff\x0a")
    result = spatialvae("reconstruct", run, tmp_path / "own", "--out", tmp_path / "a.png", "--json")
    assert len(result.json["pictures"]) == len(pictures)
    assert "note: passed over: 1 file (.jxl 1)" in result.err
    (folder / "broken.png").write_bytes(b"no picture")
    message = spatialvae("reconstruct", run, tmp_path / "own", "--out", tmp_path / "b.png").complaint
    assert "broken.png cannot be used" in message and "--skip-bad-images" in message
    result = spatialvae(
        "reconstruct", run, tmp_path / "own", "--skip-bad-images", "--out", tmp_path / "b.png", "--json"
    )
    assert len(result.json["pictures"]) == len(pictures) and "broken.png cannot be used" in result.err


def test_reconstructions_keep_the_names_so_that_they_are_paired_rightly(
    run: Path, tmp_path: Path, pictures: list[Path]
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for number, image in enumerate(smooth_images(12, channels=1, height=8, width=8)):  # 10 comes before 2 in a folder
        Image.fromarray(image[0]).save(folder / f"{number}.png")
    assert spatialvae("reconstruct", run, folder, "--out", tmp_path / "out").code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{number}.png" for number in range(12)}
    result = spatialvae(
        "evaluate", tmp_path / "out", "--against", folder, "--paired", "--metrics", "psnr", "--json"
    ).json
    expected = spatialvae("reconstruct", run, folder, "--out", tmp_path / "pairs.png", "--json").json["pictures"]
    assert result["metrics"]["psnr"]["value"] == pytest.approx(np.mean([pair["psnr"] for pair in expected]))


def test_reconstructions_as_an_array_and_as_files(run: Path, tmp_path: Path, pictures: list[Path]) -> None:
    assert spatialvae("reconstruct", run, pictures[0], "--out", tmp_path / "a.npz").code == 0
    with Image.open(pictures[0]) as picture:
        import torch

        expected = load(run).reconstruct(torch.from_numpy(np.array(picture))[None, None])
    assert np.array_equal(arrays(tmp_path / "a.npz"), expected.numpy())
    assert spatialvae("reconstruct", run, *pictures, "--out", tmp_path / "files").code == 0
    assert len(list((tmp_path / "files").iterdir())) == 3


def test_a_path_between_two_pictures(run: Path, tmp_path: Path, pictures: list[Path]) -> None:
    line = ("interpolate", run, *pictures[:2], "--steps", 6)
    assert spatialvae(*line, "--out", tmp_path / "a.png", "--json").json["paths"] == 1
    assert size(tmp_path / "a.png") == (6 * CELL + GAP, CELL + GAP)
    assert spatialvae(*line, "--out", tmp_path / "a.npz").code == 0
    assert spatialvae("reconstruct", run, *pictures[:2], "--out", tmp_path / "ends.npz").code == 0
    walked, ends = arrays(tmp_path / "a.npz"), arrays(tmp_path / "ends.npz")
    assert abs(walked[[0, -1]].astype(int) - ends).max() <= 1


def test_paths_between_draws(run: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        line = ("interpolate", run, "--steps", 5, "--rows", 3, "--seed", seed)
        assert spatialvae(*line, "--out", tmp_path / f"{name}.npz", "--json").json["paths"] == 3
    one, again, other = (arrays(tmp_path / f"{name}.npz") for name in "abc")
    assert one.shape == (15, 1, 8, 8)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("number", [1, 3])
def test_a_path_has_two_ends(run: Path, tmp_path: Path, pictures: list[Path], number: int) -> None:
    message = spatialvae("interpolate", run, *pictures[:number], "--out", tmp_path / "a.png").complaint
    assert f"{number} pictures" in message and "exactly 2" in message


@pytest.mark.parametrize("command", ["sample", "interpolate"])
def test_an_unknown_prior(run: Path, tmp_path: Path, command: str) -> None:
    message = spatialvae(command, run, "--prior", "gausian", "--out", tmp_path / "a.png").complaint
    assert "'gausian'" in message and "Did you mean 'gaussian'?" in message
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize("command", ["sample", "interpolate", "reconstruct"])
def test_a_run_that_is_not_there(tmp_path: Path, command: str) -> None:
    extra = [tmp_path] if command == "reconstruct" else []
    message = spatialvae(command, tmp_path / "none", *extra, "--json").complaint
    assert "none holds no model" in message and "config.json and model.safetensors" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not valid JSON"),
        ('{"latnt": "naive"}', "unknown setting 'latnt'. Did you mean 'latent'?"),
        ("null", "holds no settings"),
    ],
)
def test_a_damaged_config(own_run: Path, tmp_path: Path, content: str, words: str) -> None:
    (own_run / "config.json").write_text(content)
    message = spatialvae("sample", own_run, "--out", tmp_path / "a.png").complaint
    assert words in message and "config.json" in message


def test_weights_of_another_model(own_run: Path, tmp_path: Path) -> None:
    config = json.loads((own_run / "config.json").read_text())
    (own_run / "config.json").write_text(json.dumps({**config, "latent": "naive"}))
    assert "does not fit its config.json" in spatialvae("sample", own_run, "--out", tmp_path / "a.png").complaint


@pytest.mark.parametrize("name", ["a.gif", "a.txt", "a.npy"])
@pytest.mark.parametrize("command", ["sample", "interpolate", "reconstruct"])
def test_a_kind_of_file_that_is_none_of_ours(
    run: Path, tmp_path: Path, pictures: list[Path], command: str, name: str
) -> None:
    extra = pictures if command == "reconstruct" else []
    message = spatialvae(command, run, *extra, "--out", tmp_path / name).complaint
    assert name in message and ".png or .npz" in message
    assert not (tmp_path / name).exists()


def test_places_that_cannot_be_written(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "inside").write_text("mine")
    for out in (tmp_path / "file" / "a.png", tmp_path / "file", tmp_path / "folder.png"):
        message = spatialvae("sample", run, "--count", 1, "--out", out, "--overwrite").complaint
        assert "file" in message or "folder.png" in message
    assert (tmp_path / "file").read_text() == (tmp_path / "folder.png" / "inside").read_text() == "mine"


def test_pictures_that_are_none(run: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.png").write_text("Dear reader")
    (tmp_path / "empty").mkdir()
    for path, words in (
        ("letter.png", "not a picture"),
        ("none.png", "does not exist"),
        ("empty", "holds no pictures"),
    ):
        message = spatialvae("reconstruct", run, tmp_path / path, "--out", tmp_path / "a.png").complaint
        assert path in message and words in message
