"""From a run to its images: by its record and by nothing else, wherever the command is given."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spatialvae.config import TrainConfig
from spatialvae.data import ImageData, ImageOptions, prepare
from spatialvae.metrics import peak_signal_to_noise
from spatialvae.store import load
from spatialvae.training import Run, train
from tests.cli.conftest import SETTINGS
from tests.cli.looks import arrays
from tests.cli.program import Outcome, spatialvae
from tests.conftest import contents, smooth_images

FAST = ("--metrics", "mse")
TINY = {"maps": 2, "images": 20, "batch_size": 10, "precision": "fp32"}


def opened(command: str, run: Path, *flags: object) -> Outcome:
    """One of the commands that open a run's images."""
    extra = {
        "evaluate": FAST,
        "fit-prior": ("--prior", "mixture:components=2"),
        "influence": ("--images", 2, "--overwrite", "--out", run.parent / "influence.png"),
    }[command]
    return spatialvae(command, run, *extra, *flags)


COMMANDS = ["evaluate", "fit-prior", "influence"]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Images of the model's shape that are not those of digits."""
    path = tmp_path / "data" / "mine.npz"
    path.parent.mkdir()
    np.savez(path, images=smooth_images(60, 1, 8, 8, seed=3))
    return path


@pytest.fixture
def in_memory(tmp_path: Path) -> Path:
    """A run on arrays, of the shape of digits."""
    images = smooth_images(60, 1, 8, 8)
    data = ImageData.from_arrays({"train": images[:40], "validation": images[40:50], "test": images[50:]})
    train(TrainConfig.parse(TINY, "tests"), data, tmp_path / "memory", progress=False)
    return tmp_path / "memory"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_is_opened_from_any_folder_and_after_a_move(
    command: str, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mine.parent)
    line = ("train", "--data", "mine.npz", "--images", 20, "--crop", "center", *SETTINGS, "--out", "../run")
    assert spatialvae(*line).code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    moved = Path(shutil.move(tmp_path / "run", tmp_path / "elsewhere" / "moved"))
    result = opened(command, moved, "--json").json
    if command == "evaluate":
        expected = prepare(str(mine), ImageOptions(crop="center"))
        provenance = result["provenance"]
        assert (provenance["data"], provenance["fingerprint"], provenance["crop"]) == (
            str(mine),
            expected.fingerprint,
            "center",
        )
        assert not result["warnings"]


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_opened_on_a_default(command: str, in_memory: Path, run: Path, mine: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(run / name, shared / name)
    for folder, words in ((shared, "does not say what it was trained on"), (in_memory, "on arrays in memory")):
        before = contents(folder)
        message = opened(command, folder, "--overwrite" if command == "fit-prior" else "--json").complaint
        assert words in message and "--data" in message
        assert contents(folder) == before
        assert opened(command, folder, "--data", mine).code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_images_that_changed_are_not_taken(command: str, mine: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert spatialvae("train", "--data", mine, "--images", 20, *SETTINGS, "--out", run).code == 0
    kept, before = Path(shutil.copy(mine, tmp_path / "kept.npz")), contents(run)
    np.savez(mine, images=smooth_images(60, 1, 8, 8, seed=4))
    message = opened(command, run).complaint
    assert f"{run} was trained on {mine}, which has changed since" in message and "--data" in message
    mine.unlink()
    message = opened(command, run).complaint
    assert f"{run} was trained on {mine}, which is not there any more: say where with --data" in message
    assert contents(run) == before
    result = opened(command, run, "--data", kept, "--json")  # the same images at another place
    assert result.code == 0 and "was trained on" not in result.out + result.err


@pytest.mark.parametrize("command", COMMANDS)
def test_other_images_are_said_to_be_others(command: str, own_run: Path, images: Path, mine: Path) -> None:
    result = opened(command, own_run, "--data", mine)
    assert result.code == 0
    message = f"the images are {mine} --image-size 8x8 --channels 1; {own_run} was trained on {images}"
    assert message in result.out + result.err


def test_home_is_expanded(mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(mine.parent))
    assert spatialvae("train", "--data", "~/mine.npz", "--images", 20, *SETTINGS, "--out", tmp_path / "r").code == 0
    record = Run(tmp_path / "r").record()
    assert record is not None and record.source == str(mine)


def test_settings_of_arrays_in_memory_name_no_data(in_memory: Path, mine: Path, tmp_path: Path) -> None:
    line = ("train", "--config", in_memory / "config.yaml", "--out", tmp_path / "again")
    assert "--data" in spatialvae(*line).complaint
    assert not (tmp_path / "again").exists()
    assert spatialvae(*line, "--data", mine).code == 0


def test_refused_commands_leave_a_run_as_it_was(own_run: Path, images: Path, mine: Path, tmp_path: Path) -> None:
    own_run.joinpath("prior-gaussian.safetensors").unlink()
    before = contents(own_run)
    train_again = ("train", *SETTINGS, "--out", own_run)
    for line in (
        (*train_again, "--data", mine, "--images", 400),
        (*train_again, "--data", images, "--images", 400, "--latent", "naive"),
        (*train_again, "--data", images, "--crop", "center", "--images", 400),
        ("evaluate", own_run, "--metrics", "freche"),
        ("evaluate", own_run, "--split", "tset"),
        ("evaluate", own_run, "--prior", "gaussian", "--prior", "mixture"),
        ("evaluate", own_run, "--features", tmp_path / "none.pt"),
        ("fit-prior", own_run, "--default", "--features", tmp_path / "none.pt"),
        ("fit-prior", own_run, "--default", "--prior", "mixture:components=900"),
        ("fit-prior", own_run, "--prior", "gaussian", "--prior", "mixture:components=900"),
        ("fit-prior", own_run, "--prior", "gaussian", "--prior", "flow", "--precision", "fp16"),
        ("fit-prior", own_run, "--data", mine, "--image-size", 9),
        ("fit-prior", own_run, "--data", tmp_path / "none"),
    ):
        assert spatialvae(*line).code == 2, line
        assert contents(own_run) == before, line


def test_pictures_go_through_the_run_s_own_preparation(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for index, image in enumerate(smooth_images(30, 3, 24, 20)):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{index:02}.png")
    flags = {"none": ("--image-size", 8), "12": ("--image-size", 8, "--crop", 12, "--channels", 1)}
    for crop, options in flags.items():
        run = tmp_path / f"run-{crop}"
        assert spatialvae("train", "--data", folder, *options, "--images", 20, *SETTINGS, "--out", run).code == 0
        model = load(run)
        own = prepare(str(folder), ImageOptions((8, 8), crop, channels=1 if crop == "12" else None)).split("all")
        expected = model.reconstruct(torch.from_numpy(own.images)).numpy()
        out = tmp_path / f"{crop}.npz"
        result = spatialvae("reconstruct", run, folder, "--out", out)
        assert result.err == ""
        assert np.array_equal(arrays(out), expected)
        line = ("transplant", run, folder / "00.png", folder / "01.png", "--cells", "0,0", "--overwrite")
        assert spatialvae(*line, "--out", out).code == 0
        assert np.array_equal(arrays(out)[:2], own.images[:2])


def test_pictures_for_a_model_alone_are_cropped_and_that_is_said(
    run: Path, tmp_path: Path, pictures: list[Path]
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(run / name, shared / name)
    result = spatialvae("reconstruct", shared, *pictures, "--out", tmp_path / "a.npz")
    assert f"note: {shared} has no data.json: pictures are cropped to the centre and made 8x8" in result.err
    assert spatialvae("reconstruct", run, *pictures, "--out", tmp_path / "b.npz").err == ""
    assert np.array_equal(arrays(tmp_path / "a.npz"), arrays(tmp_path / "b.npz"))


@pytest.mark.slow
def test_a_cropped_run_reconstructs_its_pictures_as_well_as_it_can(tmp_path: Path) -> None:
    folder, run = tmp_path / "set", tmp_path / "run"
    folder.mkdir()
    for index, image in enumerate(smooth_images(400, 1, 40, 32)):
        Image.fromarray(image[0]).save(folder / f"{index:03}.png")
    flags = ("--data", folder, "--image-size", 16, "--crop", 14, "--images", 5000, "--batch-size", 20)
    assert spatialvae("train", *flags, "--precision", "fp32", "--out", run).code == 0
    shown = spatialvae("reconstruct", run, folder, "--out", tmp_path / "own.png", "--json").json["pictures"]
    model = load(run)
    own = torch.from_numpy(prepare(str(folder), ImageOptions((16, 16), "14")).split("all").images)
    expected = peak_signal_to_noise(own, model.reconstruct(own))
    assert [one["psnr"] for one in shown] == expected.tolist()
    (run / "data.json").unlink()  # cropped to the centre, as every run's pictures once were
    other = spatialvae("reconstruct", run, folder, "--out", tmp_path / "other.png", "--json").json["pictures"]
    difference = expected.mean().item() - np.mean([one["psnr"] for one in other])
    print(f"{expected.mean():.1f} dB, {difference:.1f} less when cropped otherwise")
    assert difference > 1
