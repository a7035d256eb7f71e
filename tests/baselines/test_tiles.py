"""Exact sums in one pass, and images cut into tiles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from spatialvae import baselines
from spatialvae.baselines import moments, tiles
from spatialvae.baselines.moments import moments_of
from spatialvae.baselines.tiles import Tiles
from spatialvae.data import ImageData, ImageSplit
from spatialvae.errors import UserError
from tests.conftest import smooth_images

multivariate_normal: Any = stats.multivariate_normal


@pytest.mark.parametrize("rows", [1, 7, 64, 1024])
def test_the_moments_are_those_of_one_pass_to_the_bit(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (150, 1, 4, 4), dtype=np.uint8)
    whole = moments_of(ImageSplit(pixels, None), Tiles.of(1, 4, 4))
    monkeypatch.setattr(moments, "ROWS", rows)
    order = random.permutation(150)
    streamed = moments_of(ImageSplit(pixels[order], None), Tiles.of(1, 4, 4))
    assert torch.equal(streamed.mean, whole.mean)
    assert torch.equal(streamed.covariance, whole.covariance)
    flat = pixels.reshape(150, 16).astype(float)
    np.testing.assert_allclose(whole.mean[0], flat.mean(0), rtol=1e-13)
    np.testing.assert_allclose(whole.covariance, np.cov(flat.T, bias=True), rtol=1e-9, atol=1e-9)


def test_the_largest_sum_of_one_product_is_exact() -> None:
    black = np.zeros((moments.ROWS + 1, 1, 1, 2), np.uint8)
    black[-1] = 255
    result = moments_of(ImageSplit(black, None), Tiles.of(1, 1, 2))
    count = len(black)
    np.testing.assert_allclose(result.covariance, np.full((2, 2), 255**2 * (1 / count - 1 / count**2)), rtol=1e-12)


@pytest.mark.parametrize(
    ("shape", "tile"),
    [
        ((3, 32, 32), (32, 32)),
        ((1, 64, 64), (64, 64)),
        ((3, 64, 64), (32, 32)),
        ((3, 128, 128), (32, 32)),
        ((1, 28, 500), (28, 125)),
        ((3, 127, 127), (1, 127)),
        ((1, 8192, 1), (4096, 1)),
    ],
)
def test_the_fewest_equal_tiles(shape: tuple[int, int, int], tile: tuple[int, int]) -> None:
    cut = Tiles.of(*shape)
    sides = {(cut.tile_height, cut.tile_width)}
    assert sides & {tile, tile[::-1]} if shape[1] == shape[2] else sides == {tile}
    assert cut.dimensions == math.prod(shape)
    assert cut.size <= 4096


def test_tiles_are_independent_gaussians_of_one_covariance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "MOST", 8)
    images = smooth_images(66, 2, 4, 4)
    data = ImageData.from_arrays({"train": images[:60], "test": images[60:]})
    parts = images.astype(float).reshape(66, 2, 2, 2, 2, 2).transpose(0, 2, 4, 1, 3, 5).reshape(66, 4, 8)
    train, test = parts[:60], parts[60:]
    about = (train - train.mean(0)).reshape(-1, 8)
    covariance = about.T @ about / len(about) + np.eye(8) / 12
    density = multivariate_normal(np.zeros(8), covariance)
    nats = (np.trace(np.linalg.inv(covariance)) / 24 - density.logpdf(test - train.mean(0))).sum(1)
    result = baselines.linear_baselines(data, [10])
    np.testing.assert_allclose(result.models[1].values["bits_per_dim"], nats / (32 * math.log(2)), rtol=1e-9)
    pca = result.models[0]
    assert (pca.asked, pca.numbers, pca.tiles, pca.tile_size) == (10, 8, 4, (2, 2))
    assert "cut into 4 tiles of 2x2" in result.notes[0]
    assert "has 8" in result.notes[1]
    assert pca.values["bits_per_dim"].equal(baselines.ppca(data, 8).values["bits_per_dim"])


@pytest.mark.parametrize("numbers", [3, 29, 0, -1])
def test_numbers_that_tiles_cannot_share(monkeypatch: pytest.MonkeyPatch, numbers: int) -> None:
    monkeypatch.setattr(tiles, "MOST", 8)
    data = ImageData.from_arrays({name: smooth_images(12, 2, 4, 4) for name in ("train", "test")})
    with pytest.raises(UserError, match="at least 4, one for each of the 4 tiles"):
        baselines.ppca(data, numbers)
