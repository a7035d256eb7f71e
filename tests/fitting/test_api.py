"""`spatialvae.fit_prior`: for a run, a folder and a model in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import spatialvae as sv
from spatialvae.errors import UserError
from spatialvae.store import load
from spatialvae.training import FinishedRun, train
from tests.conftest import smooth_images
from tests.training.tiny import settings, tiny_data


@pytest.fixture
def run(tmp_path: Path) -> FinishedRun:
    return train(settings(images=20), tiny_data(), tmp_path / "run", progress=False)


def test_a_run_keeps_it(run: FinishedRun) -> None:
    fitted = sv.fit_prior(run, "mixture:components=2", tiny_data(), progress=False)
    assert fitted.held_out.n == 25
    loaded = load(run.folder)
    name = "mixture:components=2"
    assert torch.equal(loaded.sample(2, seed=0, prior=name), run.model.sample(2, seed=0, prior=name))


def test_a_model_in_memory_has_it(run: FinishedRun, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.rglob("*"))
    images = {name: split.images.copy() for name, split in tiny_data().splits.items()}
    sv.fit_prior(run.model, "mixture:components=2", images, progress=False)
    sv.fit_prior(run.model, "mixture:components=2", images, progress=False, seed=1)  # in the place of the first
    assert list(run.model.priors) == ["gaussian", "mixture:components=2"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("prior", "options", "words"),
    [
        ("mixtur", {}, ["'mixture'"]),
        ("gaussian", {"learning_rate": 0.1}, ["learning_rate is for priors with a network", "gaussian"]),
        ("flow", {"lerning_rate": 0.1}, ["'learning_rate'"]),
        ("gaussian", {}, ["no file holds"]),
        ("gaussian", {"images": smooth_images(100, 3, 9, 8)}, ["9x8 with 3", "8x8 with 1"]),
    ],
)
def test_mistakes(run: FinishedRun, prior: str, options: dict, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        sv.fit_prior(run, prior, progress=False, **options)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_model_wants_images(run: FinishedRun) -> None:
    with pytest.raises(UserError, match="give images"):
        sv.fit_prior(run.model)
