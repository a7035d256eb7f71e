"""Reference features are computed once for each thing they depend on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from spatialvae.data import ImageData, ImageSplit
from spatialvae.data.subset import subset
from spatialvae.errors import UserError
from spatialvae.metrics.samples.feature_cache import reference_features
from spatialvae.metrics.samples.features import FeatureNetwork
from tests.conftest import smooth_images

SPLITS = {"train": ImageSplit(smooth_images(9, seed=1), None), "test": ImageSplit(smooth_images(7, seed=2), None)}
DATA = ImageData("made-up", "made-up", "0a1b", 16, 16, 3, SPLITS, [0.0] * 3, 0, None)


class Noted:
    """Mean colours, and how many images were looked at."""

    def __init__(self) -> None:
        self.looked_at = 0

    def __call__(self, images: Tensor) -> Tensor:
        self.looked_at += len(images)
        return images.float().mean((2, 3))


def network(noted: Noted, sha256: str = "0a") -> FeatureNetwork:
    return FeatureNetwork("noted", sha256, False, noted)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPATIALVAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


def mean_colours(split: str, count: int, seed: int = 0) -> Tensor:
    images = SPLITS[split].images
    return torch.from_numpy(images[subset(len(images), count, seed=seed)]).float().mean((2, 3))


def test_the_second_call_runs_no_network(cache: Path) -> None:
    noted, again = Noted(), Noted()
    first = reference_features(network(noted), DATA, "test", 5)
    torch.testing.assert_close(first, mean_colours("test", 5))
    second = reference_features(network(again), DATA, "test", 5)
    assert torch.equal(first, second)
    assert (noted.looked_at, again.looked_at) == (7, 0)  # two black ones the first time, to find the size
    assert len(list(cache.iterdir())) == 1  # nothing temporary stays


def test_what_they_depend_on(cache: Path) -> None:
    reference_features(network(Noted()), DATA, "test", 5)
    for other, data, split, count in (
        ("0a", DATA, "test", 4),
        ("0a", DATA, "train", 5),
        ("0b", DATA, "test", 5),
        ("0a", replace(DATA, fingerprint="ff"), "test", 5),
    ):
        noted = Noted()
        features = reference_features(network(noted, other), data, split, count)
        torch.testing.assert_close(features, mean_colours(split, count))
        assert noted.looked_at == count + 2
    assert len(list(cache.iterdir())) == 5


def test_another_seed_draws_others_unless_all_are_taken() -> None:
    noted = Noted()
    for seed in (0, 1, 0, 1):
        features = reference_features(network(noted), DATA, "test", 5, seed=seed)
        torch.testing.assert_close(features, mean_colours("test", 5, seed))
    assert not torch.equal(mean_colours("test", 5), mean_colours("test", 5, 1))
    whole = [reference_features(network(noted), DATA, "test", 7, seed=seed) for seed in (0, 1)]
    assert torch.equal(*whole)
    assert noted.looked_at == 2 * (5 + 2) + 7 + 2


def test_more_than_there_are_is_all_there_are() -> None:
    noted = Noted()
    assert len(reference_features(network(noted), DATA, "test", 100)) == 7
    assert len(reference_features(network(noted), DATA, "test", 7)) == 7
    assert noted.looked_at == 9


@pytest.mark.parametrize("kind", ["empty", "noise", "cut", "name", "length", "nan"])
def test_a_damaged_file_is_made_again(cache: Path, kind: str) -> None:
    first = reference_features(network(Noted()), DATA, "test", 5)
    [path] = cache.iterdir()
    if kind in ("name", "length", "nan"):
        others = {"name": first, "length": first[:4].clone(), "nan": first * float("nan")}
        save_file({"others" if kind == "name" else "features": others[kind]}, path)
    else:
        whole = path.read_bytes()
        path.write_bytes({"empty": b"", "noise": bytes(range(256)), "cut": whole[:-5]}[kind])
    noted, quiet = Noted(), Noted()
    assert torch.equal(reference_features(network(noted), DATA, "test", 5), first)
    assert torch.equal(reference_features(network(quiet), DATA, "test", 5), first)
    assert (noted.looked_at, quiet.looked_at) == (7, 0)


def test_the_file_says_what_it_holds(cache: Path) -> None:
    reference_features(network(Noted()), DATA, "test", 5)
    [path] = cache.iterdir()
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert {"data": "0a1b", "split": "test", "count": "5", "network": "0a"}.items() <= metadata.items()


def test_a_network_that_fails_leaves_nothing(cache: Path) -> None:
    with pytest.raises(UserError, match="not finite"):
        reference_features(FeatureNetwork("nan", "0a", False, lambda x: x.float().mean((2, 3)) / 0), DATA, "test", 5)
    assert not list(cache.iterdir())


def test_a_cache_that_cannot_be_written(cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file in the way")
    noted = Noted()
    with pytest.raises(UserError, match="SPATIALVAE_CACHE"):
        reference_features(network(noted), DATA, "test", 5)
    assert noted.looked_at == 0


def test_no_such_split_and_no_images() -> None:
    with pytest.raises(UserError, match="Did you mean 'test'"):
        reference_features(network(Noted()), DATA, "tset", 5)
    with pytest.raises(UserError, match="at least one"):
        reference_features(network(Noted()), DATA, "test", 0)


def test_progress_goes_to_stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatialvae.progress.FIRST_LINE", 0.0)
    reference_features(network(Noted()), DATA, "test", 5, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "features, noted" in captured.err
