"""`spatialvae evaluate` and `spatialvae compare`: numbers with their errors, on the run's data or on other ones."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spatialvae.data import prepare
from spatialvae.metrics import evaluate
from spatialvae.store import load
from tests.cli.conftest import SETTINGS
from tests.cli.program import spatialvae, stop_at_step
from tests.conftest import smooth_images

METRICS = ["elbo", "kl", "reconstruction", "bits_per_dim", "mse", "psnr", "ssim", "nll"]
FAST = ("--importance-samples", 2, "--nll-images", 3)


def test_the_numbers_are_the_librarys(run: Path, images: Path) -> None:
    found = spatialvae("evaluate", run, *FAST, "--seed", 4, "--json").json
    expected = evaluate(load(run), prepare(str(images)).split("test"), importance_samples=2, nll_images=3, seed=4)
    assert list(found["metrics"]) == METRICS
    assert found["metrics"] == {name: estimate.as_dict() for name, estimate in expected.items()}
    assert all(set(entry) == {"value", "standard_error", "n"} for entry in found["metrics"].values())
    assert found["metrics"]["nll"]["n"] == 3
    assert (found["split"], found["importance_samples"], found["seed"]) == ("test", 2, 4)
    assert found["fingerprint"] == prepare(str(images)).fingerprint


def test_words(run: Path) -> None:
    found = spatialvae("evaluate", run, *FAST, "--split", "validation")
    assert found.code == 0
    lines = found.out.splitlines()
    assert "validation" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == METRICS
    assert all("n = " in line and "±" in line for line in lines[1:])


def test_split_and_limit(run: Path, images: Path) -> None:
    data = prepare(str(images))
    for split in ("train", "validation"):
        found = spatialvae("evaluate", run, "--split", split, "--importance-samples", 0, "--json").json["metrics"]
        assert found["mse"]["n"] == len(data.split(split))
        assert "nll" not in found
    few = spatialvae("evaluate", run, "--split", "train", *FAST, "--limit", 4, "--json").json["metrics"]
    assert {name: entry["n"] for name, entry in few.items()} == {**dict.fromkeys(METRICS, 4), "nll": 3}


def test_other_images_are_brought_to_the_models_size_and_channels(run: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", images=smooth_images(40, channels=3, height=20, width=12))
    found = spatialvae("evaluate", run, "--data", tmp_path / "other.npz", *FAST, "--json").json
    assert found["metrics"]["mse"]["value"] > 0
    assert found["data"] == "other"


def test_a_model_without_its_run(run: Path, images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(run / name, folder / name)
    found = spatialvae("evaluate", folder, "--data", images, *FAST, "--json").json
    assert found["metrics"] == spatialvae("evaluate", run, *FAST, "--json").json["metrics"]
    assert load(folder).priors.keys() == {"gaussian"}  # fitted on the way, to the training images


def test_a_prior_that_is_there_is_left(own_run: Path) -> None:
    stamp = (own_run / "prior-gaussian.safetensors").stat().st_mtime_ns
    assert spatialvae("evaluate", own_run, *FAST).code == 0
    assert (own_run / "prior-gaussian.safetensors").stat().st_mtime_ns == stamp


def test_no_prior_is_fitted_to_foreign_images(own_run: Path, tmp_path: Path) -> None:
    (own_run / "prior-gaussian.safetensors").unlink()
    np.savez(tmp_path / "other.npz", images=smooth_images(40, channels=1, height=8, width=8, seed=9))
    assert spatialvae("evaluate", own_run, "--data", tmp_path / "other.npz", *FAST).code == 0
    assert load(own_run).priors == {}
    assert spatialvae("evaluate", own_run, *FAST).code == 0
    assert load(own_run).priors.keys() == {"gaussian"}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--split tset", ["'tset'", "'test'"]),
        ("--image-size 16", ["16x16", "8x8", "--image-size"]),
        ("--data digts", ["'digts'", "'digits'"]),
        ("--layout nhcw", ["'nhcw'", "'nhwc'"]),
        ("--importance-samples -1", ["--importance-samples", "0"]),
    ],
)
def test_mistakes(run: Path, flags: str, words: list[str]) -> None:
    said = spatialvae("evaluate", run, *flags.split(), "--json").complaint
    assert all(word in said for word in words), said


@pytest.fixture(scope="module")
def compared(shared: Path, images: Path) -> tuple[Path, dict[str, Any]]:
    """A comparison of two latents by the command, and what it printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spatialvae.comparison.cost.GENERATED", 5)
        found = spatialvae(*line(images, shared / "compared"), "--json")
    return shared / "compared", found.json


def line(images: Path, out: Path) -> tuple[object, ...]:
    """A comparison of a second."""
    latents = ("--latent", "vector", "--latent", "low-rank")
    return ("compare", "--data", images, *latents, "--images", 60, *SETTINGS, *FAST, "--out", out)


def test_compare_writes_and_prints_the_comparison(compared: tuple[Path, dict[str, Any]]) -> None:
    out, printed = compared
    assert json.loads((out / "comparison.json").read_text()) == printed
    assert [model["latent"] for model in printed["models"]] == ["vector", "low-rank"]
    assert printed["command"].startswith("spatialvae compare --data ")
    assert printed["settings"]["images"] == 60
    assert {path.name for path in out.iterdir()} >= {"vector", "low-rank", "report.md", "report.html", "figures"}


def test_compare_in_words_uses_what_is_there(
    compared: tuple[Path, dict[str, Any]], images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spatialvae.comparison.cost.GENERATED", 5)
    monkeypatch.setattr("spatialvae.training.loop.train_step", None)
    monkeypatch.setenv("COLUMNS", "160")
    found = spatialvae(*line(images, compared[0]))
    assert found.code == 0
    assert "vector" in found.out and "bits per dim" in found.out
    assert found.out.endswith(f"report: {compared[0] / 'report.html'}\n")
    assert "low-rank, seed 0" in found.err


def test_a_run_of_a_comparison_is_a_run(compared: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder = compared[0] / "low-rank" / "seed-0"
    assert spatialvae("sample", folder, "--count", 2, "--out", tmp_path / "a.png").code == 0
    found = spatialvae("evaluate", folder, *FAST, "--json").json["metrics"]
    assert found == compared[1]["models"][1]["metrics"]


def test_a_stopped_comparison(images: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stop_at_step(patch, 4, signal.SIGTERM)  # the first step of the second model
        found = spatialvae(*line(images, tmp_path / "out"), "--json")
    assert (found.code, found.out) == (143, "")
    assert "Stopped after 20 of 60 images" in found.err
    assert (tmp_path / "out" / "vector" / "seed-0" / "prior-gaussian.safetensors").is_file()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--latent vector --latent vector", ["once"]),
        ("--latent vector --latent low-rnak", ["'low-rnak'", "'low-rank'"]),
        ("--latent low-rank:rank=8", ["rank=8", "rank=3"]),
        ("--split tset", ["'tset'", "'test'"]),
        ("--likelihood gausian", ["'gausian'", "'gaussian'"]),
        ("--data digts", ["'digts'", "'digits'"]),
        ("--latnet vector", ["--latnet"]),
        ("--seed 3", ["--seed", "--seeds"]),
    ],
)
def test_mistakes_before_any_training(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, words: list[str]
) -> None:
    monkeypatch.setattr("spatialvae.training.loop.train_step", None)
    source = [] if "--data" in flags else ["--data", images]
    said = spatialvae("compare", *source, *flags.split(), "--out", tmp_path / "out", "--json").complaint
    assert all(word in said for word in words), said
    assert not (tmp_path / "out").exists()
