"""`spatialvae evaluate`: numbers with their errors, of a run and of images that anything may have made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spatialvae.config import EvaluationConfig
from spatialvae.data import prepare
from spatialvae.metrics import evaluate
from spatialvae.store import load
from tests.cli.program import spatialvae
from tests.conftest import smooth_images
from tests.metrics.networks import feature_file

FAST = ("--importance-samples", 2, "--nll-images", 3, "--generated", 20)


def test_the_numbers_are_the_librarys(run: Path, images: Path) -> None:
    found = spatialvae("evaluate", run, *FAST, "--seed", 4, "--json").json
    config = EvaluationConfig(importance_samples=2, nll_images=3, seed=4)
    expected = evaluate(load(run), prepare(str(images)), config)
    assert set(found) == {"target", "metrics", "health", "provenance", "warnings"}
    assert found["metrics"] == {name: estimate.as_dict() for name, estimate in expected.estimates.items()}
    assert found["metrics"]["nll"]["n"] == 3
    assert found["health"] == json.loads(json.dumps(expected.health))
    assert (found["provenance"]["split"], found["provenance"]["seed"]) == ("test", 4)
    assert found["provenance"]["fingerprint"] == prepare(str(images)).fingerprint


def test_words(run: Path) -> None:
    found = spatialvae("evaluate", run, *FAST, "--split", "validation", "--metrics", "bound,nll,ssim")
    assert found.code == 0
    lines = found.out.splitlines()
    assert "validation" in lines[0] and lines[0].endswith("; ± over images, this training only")
    assert [line.split()[0] for line in lines[1:]] == ["elbo", "kl", "reconstruction", "bits_per_dim", "ssim", "nll"]
    assert all("n = " in line and "±" in line for line in lines[1:])


def test_split_and_limit(run: Path, images: Path) -> None:
    data = prepare(str(images))
    for split in ("train", "validation"):
        found = spatialvae("evaluate", run, "--split", split, "--metrics", "mse", "--json").json["metrics"]
        assert found["mse"]["n"] == len(data.split(split))
        assert "nll" not in found
    few = spatialvae("evaluate", run, "--split", "train", *FAST, "--limit", 4, "--json").json["metrics"]
    assert {entry["n"] for name, entry in few.items() if name != "nll"} == {4}


def test_samples_of_every_prior_are_measured(run: Path, tmp_path: Path) -> None:
    found = spatialvae("evaluate", run, *FAST, "--metrics", "frechet", "--features", feature_file(tmp_path), "--json")
    assert set(found.json["metrics"]) == {"frechet/reconstructions", "frechet/standard", "frechet/gaussian"}
    assert found.json["provenance"]["features"]["name"] == "pooled"
    assert found.json["warnings"]


def test_other_images_are_brought_to_the_models_size_and_channels(run: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", images=smooth_images(40, channels=3, height=20, width=12))
    found = spatialvae("evaluate", run, "--data", tmp_path / "other.npz", *FAST, "--json").json
    assert found["metrics"]["mse"]["value"] > 0
    assert found["provenance"]["resize"] == "lanczos to 8x8"


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
    assert spatialvae("evaluate", own_run, "--metrics", "mse").code == 0
    assert (own_run / "prior-gaussian.safetensors").stat().st_mtime_ns == stamp


def test_no_prior_is_fitted_to_foreign_images(own_run: Path, tmp_path: Path) -> None:
    (own_run / "prior-gaussian.safetensors").unlink()
    np.savez(tmp_path / "other.npz", images=smooth_images(40, channels=1, height=8, width=8, seed=9))
    assert spatialvae("evaluate", own_run, "--data", tmp_path / "other.npz", "--metrics", "mse").code == 0
    assert load(own_run).priors == {}
    assert spatialvae("evaluate", own_run, "--metrics", "mse").code == 0
    assert load(own_run).priors.keys() == {"gaussian"}


def sets(*arguments: object) -> dict[str, float]:
    found = spatialvae("evaluate", *arguments, "--json").json["metrics"]
    return {name: entry["value"] for name, entry in found.items()}


def test_images_of_anyone_are_measured_by_the_same_code(run: Path, images: Path, tmp_path: Path) -> None:
    network = ("--features", feature_file(tmp_path), "--metrics", "frechet,precision,recall", "--split", "train")
    for name in ("samples", "samples.npz"):
        made = spatialvae("sample", run, "--count", 20, "--seed", 0, "--prior", "standard", "--out", tmp_path / name)
        assert made.code == 0
    ours = spatialvae("evaluate", run, *FAST, *network, "--json").json["metrics"]
    expected = {name: ours[f"{name}/standard"]["value"] for name in ("frechet", "precision", "recall")}
    for name in ("samples", "samples.npz"):
        assert sets(tmp_path / name, "--against", images, *network) == pytest.approx(expected)


def test_paired_images(images: Path, tmp_path: Path) -> None:
    test = prepare(str(images)).split("test").images
    np.savez(tmp_path / "same.npz", images=test)
    found = sets(tmp_path / "same.npz", "--against", images, "--paired")
    assert found == {"mse": 0, "psnr": pytest.approx(100), "ssim": pytest.approx(1)}
    np.savez(tmp_path / "darker.npz", images=test // 2)
    assert sets(tmp_path / "darker.npz", "--against", images, "--paired")["mse"] == pytest.approx(
        np.mean(((test - test // 2) / 255.0) ** 2), rel=1e-5
    )


def test_parzen_and_its_protocols(run: Path) -> None:
    for protocol in ("held-out", "authors"):
        flags = ("--metrics", "parzen", "--generated", 30, "--parzen-protocol", protocol, "--json")
        found = spatialvae("evaluate", run, *flags).json
        assert set(found["metrics"]) == {"parzen/standard", "parzen/gaussian"}
        assert found["provenance"]["parzen/standard"]["protocol"] == protocol


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--split tset", ["'tset'", "'test'"]),
        ("--image-size 16", ["16x16", "8x8", "--image-size"]),
        ("--data digts", ["'digts'", "'digits'"]),
        ("--layout nhcw", ["'nhcw'", "'nhwc'"]),
        ("--importance-samples 0", ["--importance-samples", "1"]),
        ("--metrics freche", ["freche", "'frechet'"]),
        ("--metrics frechet", ["--features"]),
        ("--metrics probe", ["no labels"]),
        ("--features missing.pt", ["missing.pt", "TorchScript"]),
        ("--lpips missing.pt", ["missing.pt", "TorchScript"]),
        ("--parzen-protocol author --metrics parzen", ["'authors'"]),
        ("--against digits", ["is a run", "--data"]),
        ("--paired", ["is a run"]),
    ],
)
def test_mistakes(run: Path, flags: str, words: list[str]) -> None:
    said = spatialvae("evaluate", run, *flags.split(), "--json").complaint
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("", ["config.json", "--against"]),
        ("--against digits", ["nothing to measure", "--features"]),
        ("--against digits --metrics nll", ["run folder"]),
        ("--against digits --metrics mse", ["--paired"]),
        ("--against digits --paired", ["16x16", "8x8", "--image-size 16x16"]),
        ("--against digits --image-size 16 --paired", ["one image for each"]),
    ],
)
def test_mistakes_about_images(tmp_path: Path, flags: str, words: list[str]) -> None:
    (tmp_path / "set").mkdir()
    for index, image in enumerate(smooth_images(3, 1)):
        Image.fromarray(image[0]).save(tmp_path / "set" / f"{index}.png")
    said = spatialvae("evaluate", tmp_path / "set", *flags.split(), "--json").complaint
    assert all(word in said for word in words), said


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "does not exist" in spatialvae("evaluate", tmp_path / "nothing", "--json").complaint
