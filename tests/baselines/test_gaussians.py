"""The baselines against dense Gaussians of scipy and scikit-learn's PCA, in float64, on tiny images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from spatialvae import baselines
from spatialvae.baselines.measure import values_of
from spatialvae.baselines.spectrum import NOISE, spectrum_of
from spatialvae.baselines.tiles import Tiles
from spatialvae.data import ImageData
from tests.conftest import smooth_images

multivariate_normal: Any = stats.multivariate_normal

SHAPE = (2, 4, 3)
SIZE = math.prod(SHAPE)
NATS = SIZE * math.log(2)


def prepared(train: int = 90, test: int = 7, shape: tuple[int, int, int] = SHAPE) -> ImageData:
    images = smooth_images(train + test, *shape)
    return ImageData.from_arrays({"train": images[:train], "test": images[train:]})


DATA = prepared()
TRAIN, TEST = (DATA.split(name).images.reshape(-1, SIZE).astype(float) for name in ("train", "test"))
COVARIANCE = np.cov(TRAIN.T, bias=True) + np.eye(SIZE) / 12


def expected_bits(covariance: np.ndarray, test: np.ndarray = TEST) -> np.ndarray:
    """E_n[-log p(x + n)] in bits a number: the quadratic form's mean over n adds the trace of the precision / 12."""
    at_middle = multivariate_normal(TRAIN.mean(0), covariance).logpdf(test)
    return (np.trace(np.linalg.inv(covariance)) / 24 - at_middle) / NATS


def factor_covariance(kept: int) -> np.ndarray:
    """W W^T + s^2 I with Tipping and Bishop's maximum-likelihood W and s^2."""
    variances, axes = np.linalg.eigh(COVARIANCE)
    noise = variances[: SIZE - kept].mean()
    loadings = axes[:, SIZE - kept :] * np.sqrt(variances[SIZE - kept :] - noise)
    return loadings @ loadings.T + noise * np.eye(SIZE)


def test_the_pixel_gaussian_is_scipys() -> None:
    result = baselines.pixel_gaussian(DATA)
    np.testing.assert_allclose(result.values["bits_per_dim"], expected_bits(COVARIANCE), rtol=1e-9)
    assert result.bits_per_dim.n == len(TEST)
    assert result.mse is None


@pytest.mark.parametrize("kept", [1, 5, SIZE - 1])
def test_ppca_is_a_gaussian_with_factor_covariance(kept: int) -> None:
    result = baselines.ppca(DATA, kept)
    np.testing.assert_allclose(result.values["bits_per_dim"], expected_bits(factor_covariance(kept)), rtol=1e-9)


def test_ppca_with_all_directions_but_one_is_the_pixel_gaussian() -> None:
    ours, whole = baselines.ppca(DATA, SIZE - 1), baselines.pixel_gaussian(DATA)
    torch.testing.assert_close(ours.values["bits_per_dim"], whole.values["bits_per_dim"], rtol=1e-12, atol=0)


@pytest.mark.parametrize("kept", [2, 8])
def test_scikit_learn_scores_dequantised_images_alike(kept: int) -> None:
    from sklearn.decomposition import PCA

    # Antithetic noise of one size in every number: its mean is 1/2 and its covariance exactly I/12 over these draws.
    signs = np.sqrt(SIZE / 12) * np.concatenate([np.eye(SIZE), -np.eye(SIZE)])
    noisy = (TRAIN[:, None] + 0.5 + signs).reshape(-1, SIZE)
    model = PCA(kept, svd_solver="full").fit(noisy)
    model.noise_variance_ *= 1 - 1 / len(noisy)  # scikit-learn divides by N - 1
    model.explained_variance_ *= 1 - 1 / len(noisy)
    scores = model.score_samples((TEST[:, None] + 0.5 + signs).reshape(-1, SIZE)).reshape(len(TEST), -1).mean(1)
    result = baselines.ppca(DATA, kept).values["bits_per_dim"]
    np.testing.assert_allclose(result, -scores / NATS, rtol=1e-7)


def test_it_bounds_the_mean_over_drawn_noise() -> None:
    noise = np.random.default_rng(0).uniform(0, 1, (4000, 1, SIZE))
    density = multivariate_normal(TRAIN.mean(0) + 0.5, COVARIANCE)
    drawn = -density.logpdf(TEST + noise) / NATS
    spread = drawn.std(0) / math.sqrt(len(noise))
    result = baselines.pixel_gaussian(DATA).values["bits_per_dim"].numpy()
    assert (abs(result - drawn.mean(0)) < 4 * spread).all()
    code_length = -np.log(np.exp(density.logpdf(TEST + noise)).mean(0)) / NATS
    assert (code_length < drawn.mean(0)).all()


def test_the_squared_error_is_that_of_the_rounded_posterior_mean() -> None:
    kept = 3
    variances, axes = np.linalg.eigh(COVARIANCE)
    noise = variances[: SIZE - kept].mean()
    loadings = axes[:, SIZE - kept :] * np.sqrt(variances[SIZE - kept :] - noise)
    codes = (TEST - TRAIN.mean(0)) @ loadings @ np.linalg.inv(loadings.T @ loadings + noise * np.eye(kept))
    decoded = np.clip(np.round(TRAIN.mean(0) + codes @ loadings.T), 0, 255)
    result = baselines.ppca(DATA, kept)
    np.testing.assert_allclose(result.values["mse"], (((decoded - TEST) / 255) ** 2).mean(1), rtol=1e-9)
    assert result.mse is not None
    assert result.mse.value > 0


def test_fewer_images_than_numbers_leave_the_noise_in_other_directions() -> None:
    data = prepared(train=5)
    spectrum = spectrum_of(data, Tiles.of(*SHAPE))
    torch.testing.assert_close(
        spectrum.variances[4:], torch.full((SIZE - 4,), NOISE, dtype=torch.float64), rtol=1e-9, atol=0
    )
    assert spectrum.variances.min() >= NOISE
    result = baselines.linear_baselines(data, [2, 4, 10])
    assert all(math.isfinite(model.bits_per_dim.value) for model in result.models)
    assert "too few" in result.notes[0]
    train = data.split("train").images.reshape(5, SIZE).astype(float)
    dense = multivariate_normal(train.mean(0), np.cov(train.T, bias=True) + np.eye(SIZE) / 12)
    trace = np.trace(np.linalg.inv(dense.cov)) / 24
    test = data.split("test").images.reshape(-1, SIZE).astype(float)
    expected = (trace - dense.logpdf(test)) / NATS
    for model in result.models[1:]:  # from rank 4 on every model is the same Gaussian
        np.testing.assert_allclose(model.values["bits_per_dim"], expected, rtol=1e-8)


def test_images_that_are_all_alike_have_the_noise_alone() -> None:
    black = np.zeros((6, 1, 2, 2), np.uint8)
    result = baselines.linear_baselines(ImageData.from_arrays({"train": black, "test": black}), [2])
    # -E log N(n; 1/2, I/12) = (1 + log(2 pi / 12)) / 2 nats a number
    expected = (1 + math.log(2 * math.pi / 12)) / 2 / math.log(2)
    for model in result.models:
        assert model.bits_per_dim.value == pytest.approx(expected, rel=1e-12)


def test_values_do_not_depend_on_what_else_is_measured() -> None:
    tiles = Tiles.of(*SHAPE)
    spectrum, rows = spectrum_of(DATA, tiles), np.arange(len(TEST))
    both = values_of(spectrum, tiles, DATA.split("test"), rows, [3, SIZE])
    alone = values_of(spectrum, tiles, DATA.split("test"), rows, [3])
    torch.testing.assert_close(both[3], alone[3], rtol=1e-12, atol=0)
