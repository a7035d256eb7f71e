"""A comparison from Python: any images, latents as texts and as objects, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spatialvae.comparison import Comparison, compare
from spatialvae.comparison.api import _call
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS
from spatialvae.latents.vector import Vector
from spatialvae.networks import ResidualNetworks
from tests.training.tiny import tiny_data

SMALL: dict[str, Any] = {"epochs": 1, "batch_size": 10, "precision": "fp32", "metrics": "mse,bound", "progress": False}


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatialvae.comparison.cost.GENERATED", 5)


def pixels(count: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8), dtype=np.uint8)


def test_arrays_and_objects_give_a_table_and_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    latents = ["vector", LATENTS.parse("low-rank:rank=2", {"maps": 2, "height": 3, "width": 3})]
    comparison = compare(pixels(), latents, str(tmp_path / "out"), seeds=2, priors="standard", **SMALL)
    assert [model.latent for model in comparison.models] == ["vector", LATENTS.spell(latents[1])]  # type: ignore[arg-type]
    assert comparison.results.seeds == (0, 1) and set(comparison.best) == set(comparison.models[0].metrics)
    assert comparison.report.is_file() and "squared error" in repr(comparison)
    expected = f"latents={['vector', LATENTS.spell(latents[1])]!r}, out={str(tmp_path / 'out')!r}, seeds=2"  # type: ignore[arg-type]
    expected += ", priors='standard', epochs=1, batch_size=10, precision='fp32', metrics='mse,bound'"
    assert comparison.results.command == f"spatialvae.compare(images, {expected})"
    assert "<table>" in comparison._repr_html_()
    assert Comparison.read(tmp_path / "out").results == comparison.results
    monkeypatch.setattr("spatialvae.training.loop.train_step", None)  # nothing is trained again
    again = compare(pixels(), latents, tmp_path / "out", seeds=2, priors="standard", **SMALL)
    assert again.models[1].metrics == comparison.models[1].metrics


def test_prepared_images_stay_what_they_are(tmp_path: Path) -> None:
    comparison = compare(tiny_data(), "vector", tmp_path, seeds=1, betas=2.0, priors=["standard"], **SMALL)
    assert (comparison.results.beta, len(comparison.models)) == (2.0, 1)
    assert comparison.results.data.fingerprint == tiny_data().fingerprint


@dataclass(frozen=True)
class Unnamed(Vector):
    """A latent that nobody registered."""


@pytest.mark.parametrize(
    ("latents", "settings", "words"),
    [
        ([Unnamed(2, 1, 1)], {}, "Unnamed has no name among the latents"),
        (["vector", Vector(10, 1, 1)], {}, "vector"),
        ("low-rnk", {}, "Did you mean 'low-rank'"),
        ("vector", {"epohcs": 3}, "unknown setting 'epohcs'. Did you mean 'epochs'"),
        ("vector", {"data": "digits"}, "data is given as images"),
        ("vector", {"seed": 3}, "unknown setting 'seed'. Did you mean 'seeds'"),
        ("vector", {"betas": (1.0, 1.0)}, "twice"),
    ],
)
def test_mistakes_are_refused_before_any_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, latents: Any, settings: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr("spatialvae.training.loop.train_step", None)
    with pytest.raises(UserError) as caught:
        compare(tiny_data(), latents, tmp_path / "out", **{**SMALL, **settings})
    assert words in str(caught.value) and "--" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"latent": "naive"}, "latent is given as latents"),
        ({"beta": 7.0}, "beta is given as betas"),
        ({"prior": "flow"}, "prior is given as priors"),
        ({"images": 500}, "images is given twice.*epochs"),
        ({"metrics": "mse,gaps:images=99"}, "gaps:images=99 is not possible"),
        ({"network": ResidualNetworks()}, 'network="residual"'),
        ({"image_size": "16x16"}, "image_size is decided where ImageData is made"),
    ],
)
def test_settings_that_would_be_ignored_are_refused(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        compare(tiny_data(), "vector", tmp_path / "out", **{**SMALL, **settings})
    assert not (tmp_path / "out").exists()


def test_a_path_stands_in_the_call(tmp_path: Path) -> None:
    assert _call(Path("images.npz"), {"out": "a"}) == "spatialvae.compare('images.npz', out='a')"
