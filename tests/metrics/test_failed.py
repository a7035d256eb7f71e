"""A metric that fails is told with its reason, and loses nothing of what is measured beside it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageSplit
from spatialvae.errors import UserError
from spatialvae.metrics import evaluate
from spatialvae.records import as_json
from tests.conftest import smooth_images
from tests.metrics.measured import BOUND, data_of, measure, small, split
from tests.metrics.script_files import Divided, NotFinite, OneSize, saved

module: Any = importlib.import_module("spatialvae.metrics.evaluation")


FAILING = [
    ({"metrics": "bound,lpips,mse"}, NotFinite(), {"lpips"}, "not finite"),
    ({"metrics": "bound,frechet,mse"}, Divided(), {"frechet/reconstructions", "frechet/standard"}, "not finite"),
    ({"metrics": "bound,parzen,mse", "parzen_protocol": "authors", "limit": 9}, None, {"parzen/standard"}, "9 images"),
]


@pytest.mark.parametrize(("config", "network", "keys", "words"), FAILING, ids=["lpips", "frechet", "parzen"])
def test_what_fails_loses_nothing_else(
    tmp_path: Path, config: dict[str, Any], network: Any, keys: set[str], words: str
) -> None:
    images = ImageSplit(smooth_images(12, 1, 8, 8) // 2 + 1, np.zeros(12, np.int64))
    images.images[3] = 0  # Divided is not a number of black
    if network is not None:
        path = str(saved(network, tmp_path / "odd.pt"))
        use = {"lpips": path} if "lpips" in config["metrics"] else {"features": path, "generated": 4}
        config = {**config, **use}
    evaluation = evaluate(small(), data_of(images), EvaluationConfig(**config))
    assert set(evaluation.failed) == keys
    assert all(words in why and "\n" not in why for why in evaluation.failed.values())
    assert set(evaluation.metrics) == {*BOUND, "mse"}
    assert as_json(evaluation)["failed"] == evaluation.failed


def test_a_fault_of_our_own_is_no_failed_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a shape is wrong")

    monkeypatch.setattr(importlib.import_module("spatialvae.metrics.latent.health"), "latent_health", broken)
    with pytest.raises(RuntimeError, match="a shape is wrong"):
        measure(small(), split(), metrics="health")


def test_a_network_that_takes_no_images_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "in_order", None)
    path = str(saved(OneSize(33), tmp_path / "odd.pt"))
    with pytest.raises(UserError, match="odd takes no uint8 images"):
        measure(small(), split(), metrics="frechet,mse", features=path)
