"""A metric that fails at the end of a comparison costs no finished work; what cannot work is told at the beginning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spatialvae.comparison import compare
from spatialvae.config import CompareConfig, EvaluationConfig
from spatialvae.data import ImageSplit
from spatialvae.errors import UserError
from spatialvae.training import loop
from tests.metrics.script_files import OneSize, saved
from tests.training.tiny import settings, tiny_data


def test_a_metric_that_fails_is_told_and_the_rest_stays(tmp_path: Path) -> None:
    data = tiny_data()
    sides = {name: ImageSplit(split.images, np.zeros(len(split), np.int64)) for name, split in data.splits.items()}
    wanted, one_class = CompareConfig(latent=["vector", "naive"], seeds=1), replace(data, splits=sides)
    evaluation = EvaluationConfig(metrics="mse,probe")
    found = compare(wanted, settings(), evaluation, one_class, tmp_path, progress=False)
    for model in found["models"]:
        assert set(model["metrics"]) == {"mse"}
        assert set(model["runs"][0]["failed"]) == {"probe"}
        assert any(f"{model['latent']}, seed 0: probe failed: " in line for line in found["warnings"])
    for name in ("report.md", "report.html"):
        assert "probe failed" in (tmp_path / name).read_text()


def test_a_network_that_takes_no_images_is_told_before_any_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "train_step", None)
    wanted = CompareConfig(latent=["vector"], seeds=1)
    path = str(saved(OneSize(33), tmp_path / "odd.pt"))
    with pytest.raises(UserError, match="odd takes no uint8 images"):
        compare(wanted, settings(), EvaluationConfig(features=path), tiny_data(), tmp_path / "out", progress=False)
