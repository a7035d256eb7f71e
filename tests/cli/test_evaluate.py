"""`spatialvae evaluate`: numbers with their errors, of a run and of images that anything may have made."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spatialvae.config import EvaluationConfig
from spatialvae.data import prepare
from spatialvae.metrics import evaluate
from spatialvae.records import as_json
from spatialvae.store import load
from tests.cli.program import spatialvae
from tests.conftest import contents, rounded, smooth_images
from tests.metrics.networks import feature_file
from tests.metrics.script_files import NotFinite, saved

FEW = ("--importance-samples", 2, "--nll-images", 3)
DRAWN = ("--generated", 20)
FAST = (*FEW, *DRAWN)


def test_the_numbers_are_the_librarys(run: Path, images: Path) -> None:
    result = spatialvae("evaluate", run, *FAST, "--seed", 4, "--json").json
    config = EvaluationConfig(importance_samples=2, nll_images=3, seed=4)
    expected = evaluate(load(run), prepare(str(images)), config)
    assert set(result) == {"target", "metrics", "health", "provenance", "warnings", "failed"}
    assert result["metrics"] == rounded({name: estimate.as_dict() for name, estimate in expected.metrics.items()})
    assert result["metrics"]["nll"]["n"] == 3
    assert result["health"] == json.loads(json.dumps(as_json(expected)))["health"]
    assert (result["provenance"]["split"], result["provenance"]["seed"]) == ("test", 4)
    assert result["provenance"]["fingerprint"] == prepare(str(images)).fingerprint


def test_words(run: Path) -> None:
    result = spatialvae("evaluate", run, *FEW, "--split", "validation", "--metrics", "bound,nll,ssim")
    assert result.code == 0
    lines = result.out.splitlines()
    assert "validation" in lines[0] and lines[0].endswith("; ± over images, this training only")
    names = ["elbo", "kl", "reconstruction", "bits_per_dim", "ssim", "nll", "nll_bound"]
    assert [line.split()[0] for line in lines[1:]] == names
    assert all("n = " in line and re.search(r" -?\d+\.\d{4} ± \d+\.\d{4} ", line) for line in lines[1:])


def test_split_and_limit(run: Path, images: Path) -> None:
    data = prepare(str(images))
    for split in ("train", "validation"):
        result = spatialvae("evaluate", run, "--split", split, "--metrics", "mse", "--json").json["metrics"]
        assert result["mse"]["n"] == len(data.split(split))
        assert "nll" not in result
    few = spatialvae("evaluate", run, "--split", "train", *FAST, "--limit", 4, "--json").json["metrics"]
    assert {entry["n"] for name, entry in few.items() if not name.startswith("nll")} == {4}


def test_the_words_say_which_images(run: Path, images: Path) -> None:
    count = len(prepare(str(images)).split("train"))
    flags = ("--split", "train", *FEW, "--seed", 3, "--metrics", "bound,nll")
    lines = spatialvae("evaluate", run, *flags, "--limit", 5).out.splitlines()
    assert f"train, 5 of {count} images, drawn with seed 3; ±" in lines[0]
    assert lines[1].endswith("n = 5)")
    assert all(line.endswith("n = 3 of 5, drawn with seed 3)") for line in lines[-2:])
    lines = spatialvae("evaluate", run, *flags).out.splitlines()
    assert f"train, all {count} images; ±" in lines[0]
    assert lines[-1].endswith(f"n = 3 of {count}, drawn with seed 3)")


def test_a_metric_that_fails_is_told_beside_the_others(run: Path, tmp_path: Path) -> None:
    path = saved(NotFinite(), tmp_path / "odd.pt")
    result = spatialvae("evaluate", run, "--metrics", "mse,lpips", "--lpips", path)
    assert result.code == 1  # it was asked for by name
    lines = result.out.splitlines()
    assert lines[1].split()[0] == "mse"
    assert lines[-1].startswith("  ! lpips failed: odd puts out distances that are not finite")
    report = spatialvae("evaluate", run, *FAST, "--lpips", path, "--json").json
    assert set(report["failed"]) == {"lpips"}
    assert "mse" in report["metrics"] and "lpips" not in report["metrics"]


def test_samples_of_every_prior_are_measured(run: Path, tmp_path: Path) -> None:
    result = spatialvae("evaluate", run, *DRAWN, "--metrics", "frechet", "--features", feature_file(tmp_path), "--json")
    assert set(result.json["metrics"]) == {"frechet/reconstructions", "frechet/standard", "frechet/gaussian"}
    assert result.json["provenance"]["features"]["name"] == "pooled"
    assert result.json["warnings"]


def test_other_images_are_brought_to_the_models_size_and_channels(run: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", images=smooth_images(40, channels=3, height=20, width=12))
    result = spatialvae("evaluate", run, "--data", tmp_path / "other.npz", *FAST, "--json").json
    assert result["metrics"]["mse"]["value"] > 0
    assert result["provenance"]["resize"] == "lanczos to 8x8"


def test_a_model_without_its_run(run: Path, images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(run / name, folder / name)
    before = contents(folder)
    result = spatialvae("evaluate", folder, "--data", images, *FAST, "--json").json
    expected = spatialvae("evaluate", run, *FAST, "--prior", "standard", "--json").json["metrics"]
    assert result["metrics"] == rounded(expected)
    assert f"{images} names no test split: measured on the 5 of 120 images" in result["warnings"][0]
    message = spatialvae("evaluate", folder, *FAST).complaint
    assert f"{folder} does not say what it was trained on" in message and "--data" in message
    assert contents(folder) == before  # nothing is fitted to images of which nobody knows whether it saw them


def test_a_prior_that_is_there_is_left(own_run: Path) -> None:
    stamp = (own_run / "prior-gaussian.safetensors").stat().st_mtime_ns
    assert spatialvae("evaluate", own_run, "--metrics", "mse").code == 0
    assert (own_run / "prior-gaussian.safetensors").stat().st_mtime_ns == stamp


def test_no_prior_is_fitted_to_foreign_images(own_run: Path, tmp_path: Path) -> None:
    (own_run / "prior-gaussian.safetensors").unlink()
    np.savez(tmp_path / "other.npz", images=smooth_images(40, channels=1, height=8, width=8, seed=9))
    assert spatialvae("evaluate", own_run, "--data", tmp_path / "other.npz", "--metrics", "mse").code == 0
    assert load(own_run).priors == {}
    assert spatialvae("evaluate", own_run, "--metrics", "mse,bound").code == 0
    assert load(own_run).priors == {}  # no metric that reads it
    assert spatialvae("evaluate", own_run, "--metrics", "prior_gain").code == 0
    assert load(own_run).priors.keys() == {"gaussian"}


def sets(*arguments: object) -> dict[str, float]:
    result = spatialvae("evaluate", *arguments, "--json").json["metrics"]
    return {name: entry["value"] for name, entry in result.items()}


def test_images_of_anyone_are_measured_by_the_same_code(run: Path, images: Path, tmp_path: Path) -> None:
    network = ("--features", feature_file(tmp_path), "--metrics", "frechet,precision,recall", "--split", "train")
    for name in ("samples", "samples.npz"):
        made = spatialvae("sample", run, "--count", 20, "--seed", 0, "--prior", "standard", "--out", tmp_path / name)
        assert made.code == 0
    ours = spatialvae("evaluate", run, *DRAWN, *network, "--json").json["metrics"]
    expected = {name: ours[f"{name}/standard"]["value"] for name in ("frechet", "precision", "recall")}
    for name in ("samples", "samples.npz"):
        assert sets(tmp_path / name, "--against", images, *network) == pytest.approx(expected)


def test_paired_images(images: Path, tmp_path: Path) -> None:
    test = prepare(str(images)).split("test").images
    np.savez(tmp_path / "same.npz", images=test)
    of_test = ("--against", images, "--split", "test", "--paired")
    result = sets(tmp_path / "same.npz", *of_test)
    assert result == {"mse": 0, "psnr": pytest.approx(100), "ssim": pytest.approx(1)}
    np.savez(tmp_path / "darker.npz", images=test // 2)
    assert sets(tmp_path / "darker.npz", *of_test)["mse"] == pytest.approx(
        np.mean(((test - test // 2) / 255.0) ** 2), rel=1e-5
    )
    message = spatialvae("evaluate", tmp_path / "same.npz", "--against", images, "--paired").complaint
    assert "for each of the 120 compared with (--split says which); there are 5" in message


def test_a_source_without_splits_is_compared_with_whole(images: Path, tmp_path: Path) -> None:
    flags = ("--against", images, "--metrics", "frechet", "--features", feature_file(tmp_path))
    result = spatialvae("evaluate", images, *flags, "--json").json
    assert result["metrics"]["frechet"]["value"] == pytest.approx(0, abs=1e-6)  # of a set to itself
    assert (result["provenance"]["split"], result["provenance"]["images"]) == ("all", 120)
    assert "names no test split: all of its images are compared with" in result["warnings"][-1]
    part = spatialvae("evaluate", images, *flags, "--split", "test", "--json").json
    assert (part["provenance"]["split"], part["provenance"]["images"]) == ("test", 5)
    arrays = smooth_images(40, 1, 8, 8)
    np.savez(tmp_path / "named.npz", train_images=arrays[:25], test_images=arrays[25:])
    named = spatialvae("evaluate", images, "--against", tmp_path / "named.npz", *flags[2:], "--json").json
    assert (named["provenance"]["split"], named["provenance"]["images"]) == ("test", 15)


def test_pairs_go_by_name_and_by_number(tmp_path: Path) -> None:
    pictures = smooth_images(12)
    for folder, digits in (("numbered", 0), ("padded", 2), ("renamed", 0)):
        (tmp_path / folder).mkdir()
        for index, image in enumerate(pictures):
            name = f"{index:0{digits}d}" if folder != "renamed" else f"copy{index}"
            Image.fromarray(image.transpose(1, 2, 0)).save(tmp_path / folder / f"{name}.png")
    for name, how in (("numbered", "by name"), ("renamed", "in natural order, as no name agrees")):
        line = ("evaluate", tmp_path / name, "--against", tmp_path / "padded", "--paired", "--metrics", "mse")
        result = spatialvae(*line, "--json").json
        assert (result["metrics"]["mse"]["value"], result["metrics"]["mse"]["n"]) == (0, 12)
        assert result["provenance"]["paired"] == how
        assert f"paired {how}" in spatialvae(*line).out.splitlines()[0]
    (tmp_path / "numbered" / "3.png").rename(tmp_path / "numbered" / "33.png")
    message = spatialvae("evaluate", tmp_path / "numbered", *line[2:]).complaint
    assert "33.png of the set has no partner (and 1 more)" in message


def test_parzen_and_its_protocols(run: Path) -> None:
    for protocol in ("held-out", "authors"):
        flags = ("--metrics", "parzen", "--generated", 30, "--split", "train", "--parzen-protocol", protocol)
        result = spatialvae("evaluate", run, *flags, "--json").json
        assert set(result["metrics"]) == {"parzen/standard", "parzen/gaussian"}
        assert result["provenance"]["parzen/standard"]["protocol"] == protocol


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
    message = spatialvae("evaluate", run, *flags.split(), "--json").complaint
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("", ["config.json", "--against"]),
        ("--against digits", ["nothing to measure", "--features"]),
        ("--against digits --metrics nll", ["run folder"]),
        ("--against digits --metrics mse", ["--paired"]),
        ("--against digits --paired", ["16x16", "8x8", "--image-size 16x16"]),
        ("--against digits --image-size 16 --paired", ["one image for each of the 1797"]),
        ("--against digits --metrics parzen", ["--split all", "--split test"]),
    ],
)
def test_mistakes_about_images(tmp_path: Path, flags: str, words: list[str]) -> None:
    (tmp_path / "set").mkdir()
    for index, image in enumerate(smooth_images(3, 1)):
        Image.fromarray(image[0]).save(tmp_path / "set" / f"{index}.png")
    message = spatialvae("evaluate", tmp_path / "set", *flags.split(), "--json").complaint
    assert all(word in message for word in words), message


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "does not exist" in spatialvae("evaluate", tmp_path / "nothing", "--json").complaint


def test_one_class_skips_the_probe_with_a_note(run: Path, tmp_path: Path) -> None:
    labels = np.where(np.arange(60) % 2, 3, -1)
    np.savez(tmp_path / "one.npz", images=smooth_images(60, channels=1, height=8, width=8), labels=labels)
    flags = ("--data", tmp_path / "one.npz", "--split", "train", "--importance-samples", 2)
    result = spatialvae("evaluate", run, *flags, "--json").json
    assert "probe" not in result["metrics"]
    assert {"elbo", "nll", "psnr"} <= set(result["metrics"])
    assert result["warnings"][0] == "no linear probe: all training images with a label have one label, '3'"
    assert "  ! no linear probe: all training" in spatialvae("evaluate", run, *flags).out
    message = spatialvae("evaluate", run, *flags, "--metrics", "probe").complaint
    assert "--metrics probe is not possible here: all training images with a label have one label, '3'." in message
