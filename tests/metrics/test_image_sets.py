"""Sets of images against a subset of a split: pairs stay pairs, and what fails loses nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData, ImageSplit
from spatialvae.data.subset import subset
from spatialvae.errors import UserError
from spatialvae.metrics import evaluate_images
from tests.conftest import smooth_images
from tests.metrics.script_files import NotFinite, saved

IMAGES = smooth_images(40, 1, 8, 8)
DATA = ImageData("made-up", "made-up", "0a", 8, 8, 1, {"test": ImageSplit(IMAGES, None)}, [0.0], 0, None)


def test_a_limit_takes_the_same_pairs_of_both_sides() -> None:
    others = torch.from_numpy(IMAGES.copy())
    others[::2] //= 2
    whole = evaluate_images(others, DATA, EvaluationConfig(), paired=True).values["mse"]
    some = evaluate_images(others, DATA, EvaluationConfig(limit=9, seed=3), paired=True)
    assert torch.equal(some.values["mse"], whole[torch.from_numpy(subset(40, 9, seed=3))])
    assert (some.provenance.images, some.provenance.of, some.provenance.seed) == (9, 40, 3)
    with pytest.raises(UserError, match="one image for each of the 40"):
        evaluate_images(others[:9], DATA, EvaluationConfig(limit=9), paired=True)


def test_a_metric_that_fails_is_told_beside_the_others(tmp_path: Path) -> None:
    config = EvaluationConfig(metrics="mse,lpips", lpips=str(saved(NotFinite(), tmp_path / "odd.pt")))
    evaluation = evaluate_images(torch.from_numpy(IMAGES), DATA, config, paired=True)
    assert set(evaluation.metrics) == {"mse"}
    assert "not finite" in evaluation.failed["lpips"]
