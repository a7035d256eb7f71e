"""Which images an evaluation is of: a draw of the seed, smaller ones within larger ones, of every class."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import torch

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageSplit
from spatialvae.data.subset import subset
from spatialvae.metrics import evaluate
from spatialvae.priors import GaussianFamily, GaussianPrior
from spatialvae.priors.normal import CodeNormal
from spatialvae.records import as_json
from tests.conftest import smooth_images
from tests.metrics.measured import data_of, few_steps, found_by, measure, small, split

module: Any = importlib.import_module("spatialvae.metrics.evaluation")


def test_limit_takes_the_subset_of_the_seed() -> None:
    model, images = small(), split(30)
    few = found_by(model, images, limit=7, seed=3)
    alone = found_by(model, ImageSplit(images.images[subset(30, 7, seed=3)], None), seed=3)
    assert few == alone
    assert {estimate.n for estimate in few.values()} == {7}
    assert found_by(model, images, limit=500)["mse"].n == 30


def test_a_smaller_subset_lies_in_a_larger_one() -> None:
    model, images = small(), split(60)
    whole = measure(model, images, metrics="mse").values["mse"]
    for limit in (8, 20):
        some = measure(model, images, metrics="mse", limit=limit).values["mse"]
        assert torch.allclose(some, whole[torch.from_numpy(subset(60, limit))])
    provenance = measure(model, images, metrics="mse", limit=8, seed=2).provenance
    assert (provenance.images, provenance.of, provenance.seed) == (8, 60, 2)


def test_images_sorted_by_class_are_all_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Black, grey and white images one after the other: what is measured on a third of them is of all three."""
    few_steps(monkeypatch)
    model = small()
    shades = np.repeat(np.array([20, 120, 220], np.uint8), 40)[:, None, None, None]
    images = ImageSplit(shades + smooth_images(120, 1, 8, 8) // 16, np.repeat(np.arange(3), 40))
    model.priors["gaussian"] = GaussianPrior(GaussianFamily(), CodeNormal(torch.zeros(2, 3, 3), (torch.eye(18),)))
    evaluation = evaluate(
        model,
        data_of(images),
        EvaluationConfig(metrics="all", limit=40, nll_images=20, importance_samples=2, generated=20),
    )
    whole = measure(model, images, metrics="bound,mse", limit=120).values
    rows = {n: torch.from_numpy(subset(120, n)) for n in (40, 20)}
    assert all(set((each // 40).tolist()) == {0, 1, 2} for each in rows.values())
    assert torch.allclose(evaluation.values["mse"], whole["mse"][rows[40]])
    assert as_json(evaluation)["provenance"]["probe"]["largest_class"] < 0.6
    # The bound of nll's images is of the same ones: one draw each there, two here.
    assert (evaluation.values["nll_bound"] - whole["elbo"][rows[20]]).abs().mean() < 0.2 * whole["elbo"].std()


def test_nll_stands_beside_the_bound_of_the_same_images() -> None:
    model, images = small(), split(40)
    for seed, samples in ((0, 1), (1, 20)):
        evaluation = measure(model, images, metrics="nll", nll_images=15, importance_samples=samples, seed=seed)
        nll, bound = evaluation.values["nll"], evaluation.values["nll_bound"]
        assert (nll <= -bound + 1e-4).all()  # image by image, whatever the draws
        assert len(nll) == len(bound) == 15
