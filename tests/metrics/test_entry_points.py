"""`evaluate` and `evaluate_images` from Python: a model, a folder, a run; images of any kind; what is printed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from spatialvae.config import EvaluationConfig
from spatialvae.data import prepare
from spatialvae.data.record import DataRecord
from spatialvae.errors import UserError
from spatialvae.files import write_json
from spatialvae.metrics import Evaluation, evaluate, evaluate_images
from spatialvae.model import SpatialVAE
from spatialvae.records import as_json
from spatialvae.store import save_model
from tests.conftest import smooth_images
from tests.metrics.measured import data_of, small, split


@dataclass
class Finished:
    """What a training returns, as far as an evaluation looks at it."""

    folder: Path
    model: SpatialVAE


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Finished:
    """A model that was trained on images in a file."""
    monkeypatch.setenv("SPATIALVAE_CACHE", str(tmp_path / "cache"))
    np.savez(tmp_path / "images.npz", images=smooth_images(120, 1, 8, 8))
    folder, model = tmp_path / "run", small()
    folder.mkdir()
    save_model(folder, model)
    write_json(folder / "data.json", as_json(DataRecord.of(prepare(str(tmp_path / "images.npz")))))
    return Finished(folder, model)


def test_a_runs_own_images(run: Finished, tmp_path: Path) -> None:
    expected = evaluate(run.model, prepare(str(tmp_path / "images.npz")), EvaluationConfig(metrics="bound,mse"))
    for target in (run, run.folder, str(run.folder)):
        assert evaluate(target, metrics=["bound", "mse"]).metrics == expected.metrics
    (tmp_path / "images.npz").unlink()
    np.savez(tmp_path / "images.npz", images=smooth_images(120, 1, 8, 8, seed=9))
    with pytest.raises(UserError, match="which has changed since: give images"):
        evaluate(run, metrics="mse")


def test_no_images() -> None:
    with pytest.raises(UserError, match="give images, or the run's folder"):
        evaluate(small())


def test_images_of_any_kind_are_all_measured() -> None:
    pixels = smooth_images(30, 1, 8, 8)
    model = small()
    results = [
        evaluate(model, images, metrics="mse") for images in (pixels, torch.from_numpy(pixels), pixels[:, 0] / 255)
    ]
    assert all(one.metrics["mse"].n == 30 and one.metrics == results[0].metrics for one in results)
    few = evaluate(model, {"train": pixels[:20], "test": pixels[20:]}, metrics="mse")
    assert (few.metrics["mse"].n, few.provenance.split) == (10, "test")


def test_settings_stand_over_those_of_a_config() -> None:
    data, config = data_of(split(12)), EvaluationConfig(metrics="mse", limit=5)
    assert evaluate(small(), data, config, limit=7).metrics["mse"].n == 7
    with pytest.raises(UserError, match="Did you mean 'limit'"):
        evaluate(small(), data, config, limti=7)


def test_pairs_of_arrays_keep_their_order() -> None:
    pixels = smooth_images(40, 1, 8, 8)
    made = evaluate_images(pixels, pixels, paired=True, metrics="mse")
    assert made.values["mse"].tolist() == [0.0] * 40
    turned = evaluate_images(pixels[::-1].copy(), pixels, paired=True, metrics="mse")
    expected = ((pixels / 255 - pixels[::-1] / 255) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(turned.values["mse"], expected)


def test_it_prints_as_a_table() -> None:
    evaluation = evaluate(small(), data_of(split()), metrics="bound,health").with_warnings(["few <images>"])
    text, html = repr(evaluation), evaluation._repr_html_()
    for key, estimate in evaluation.metrics.items():
        assert any(line.split()[0] == key and f"{estimate.value:.4f}" in line for line in text.splitlines()[1:])
    assert text.splitlines()[-1] == "  ! few <images>"
    assert "made-up, test" in text and "few &lt;images&gt;" in html and html.count("<tr>") == len(evaluation.metrics)
    assert isinstance(evaluation, Evaluation)
