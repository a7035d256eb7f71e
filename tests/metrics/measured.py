"""A small untrained model, a few images, and what is measured of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spatialvae.config import EvaluationConfig, ModelConfig
from spatialvae.data import ImageData, ImageSplit
from spatialvae.metrics import Estimate, Evaluation, evaluate
from spatialvae.metrics.likelihood import gaps
from spatialvae.model import SpatialVAE
from tests.conftest import smooth_images

__all__ = ["BOUND", "data_of", "few_steps", "found_by", "measure", "small", "split"]

BOUND = ["elbo", "kl", "reconstruction", "bits_per_dim"]


def small(**options: object) -> SpatialVAE:
    values: dict[str, Any] = {"image_size": (8, 8), "channels": 1, "maps": 2, **options}
    return SpatialVAE.from_config(ModelConfig(**values)).eval()


def split(count: int = 12, channels: int = 1, height: int = 8, width: int = 8, labels: bool = False) -> ImageSplit:
    return ImageSplit(smooth_images(count, channels, height, width), np.arange(count) % 2 if labels else None)


def data_of(test: ImageSplit) -> ImageData:
    _, channels, height, width = test.images.shape
    splits = {"train": test, "validation": test, "test": test}
    return ImageData("made-up", "made-up", "0a", height, width, channels, splits, [0.0] * channels, 0, None)


def measure(model: SpatialVAE, test: ImageSplit, **config: Any) -> Evaluation:
    evaluation = evaluate(model, data_of(test), EvaluationConfig(**{"metrics": "bound,mse,psnr,ssim", **config}))
    assert not evaluation.failed
    return evaluation


def found_by(model: SpatialVAE, test: ImageSplit, **config: Any) -> dict[str, Estimate]:
    return dict(measure(model, test, **config).metrics)


def few_steps(patch: pytest.MonkeyPatch) -> None:
    """Refine q in two steps and score it by few draws where all metrics are asked for."""
    patch.setattr(gaps, "SCORED", 4)
    measure = gaps.measure_gaps
    patch.setattr(gaps, "measure_gaps", lambda subject, images, _, draws: measure(subject, images, 2, draws))
