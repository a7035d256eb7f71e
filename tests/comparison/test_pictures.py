"""The pictures of a report: some of every class of a sorted source, the same ones for every model."""

from __future__ import annotations

import numpy as np
import torch

from spatialvae.comparison.pictures import SHOWN, pictures
from spatialvae.data import ImageData, ImageSplit
from spatialvae.data.subset import subset
from tests.conftest import smooth_images
from tests.editing.models import small


def test_they_are_of_all_classes() -> None:
    shades = np.repeat(np.array([0, 90, 180], np.uint8), 20)[:, None, None, None]
    splits = {
        name: ImageSplit(shades + smooth_images(60, 1, 8, 8, seed) // 8, None)
        for seed, name in enumerate(("train", "test"))
    }
    data = ImageData("sorted", "sorted", "0a", 8, 8, 1, splits, [0.0], 0, None)
    models = {"low-rank": small(), "naive": small("naive")}
    shown = pictures(models, data, "test", ["standard", "gaussian", "flow"])
    rows = subset(60, SHOWN)
    assert torch.equal(shown.originals, torch.from_numpy(splits["test"].images[rows]))
    assert torch.equal(shown.training, torch.from_numpy(splits["train"].images[rows]))
    assert set((shown.originals.float().mean((1, 2, 3)) // 85).tolist()) == {0, 1, 2}
    for name, model in models.items():
        assert torch.equal(shown.reconstructions[name], model.reconstruct(shown.originals))
        assert set(shown.samples[name]) == {"standard", "gaussian"}  # a flow was never fitted
