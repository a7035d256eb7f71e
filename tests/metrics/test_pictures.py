"""Picture distances against their formulas written out in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter
from torch import Tensor

from spatialvae.errors import UserError
from spatialvae.metrics import mean_squared_error, peak_signal_to_noise, structural_similarity
from tests.conftest import smooth_images

SHAPES = [(3, 1, 8, 8), (3, 3, 8, 8), (2, 3, 16, 16), (2, 1, 33, 20), (2, 3, 9, 40), (2, 1, 11, 12), (2, 3, 10, 10)]


def pair(count: int, channels: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Smooth pictures, and the same with noise."""
    images = smooth_images(count, channels, height, width)
    noise = np.random.default_rng(1).integers(-25, 26, images.shape)
    noisy = np.clip(images.astype(int) + noise, 0, 255).astype(np.uint8)
    return torch.from_numpy(images), torch.from_numpy(noisy)


def direct_ssim(one: np.ndarray, other: np.ndarray, sigma: float, size: int) -> float:
    """Wang et al. (2004), equation 13, wherever the window lies within the image; mean over places and channels."""
    offsets = np.arange(size) - size // 2
    window = np.exp(-(offsets**2) / (2 * sigma**2))
    weights = np.outer(window, window) / window.sum() ** 2
    small = ((0.01) ** 2, (0.03) ** 2)
    values = []
    for x, y in zip(one / 255.0, other / 255.0, strict=True):
        a, b = (sliding_window_view(plane, (size, size)) for plane in (x, y))
        mean_a, mean_b = (a * weights).sum((-1, -2)), (b * weights).sum((-1, -2))
        var_a, var_b = (a * a * weights).sum((-1, -2)) - mean_a**2, (b * b * weights).sum((-1, -2)) - mean_b**2
        both = (a * b * weights).sum((-1, -2)) - mean_a * mean_b
        above = (2 * mean_a * mean_b + small[0]) * (2 * both + small[1])
        below = (mean_a**2 + mean_b**2 + small[0]) * (var_a + var_b + small[1])
        values.append((above / below).mean())
    return float(np.mean(values))


@pytest.mark.parametrize("shape", SHAPES)
def test_squared_error_and_psnr(shape: tuple[int, int, int, int]) -> None:
    images, others = pair(*shape)
    errors = (((images.numpy() / 255.0) - (others.numpy() / 255.0)) ** 2).mean((1, 2, 3))
    assert mean_squared_error(images, others).tolist() == pytest.approx(errors.tolist())
    expected = [10 * math.log10(1 / error) for error in errors]
    assert peak_signal_to_noise(images, others).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_ssim(shape: tuple[int, int, int, int]) -> None:
    images, others = pair(*shape)
    sigma, size = (1.5, 11) if min(shape[2:]) >= 11 else (0.5, 5)
    expected = [direct_ssim(a, b, sigma, size) for a, b in zip(images.numpy(), others.numpy(), strict=True)]
    assert structural_similarity(images, others).tolist() == pytest.approx(expected, abs=1e-5)
    assert max(expected) < 0.99


def filtered_ssim(one: np.ndarray, other: np.ndarray) -> float:
    """scikit-image's, gaussian_weights, sigma 1.5, use_sample_covariance False: filter, then cut the border off."""
    values = []
    for x, y in zip(one / 255.0, other / 255.0, strict=True):
        mean_x, mean_y, xx, yy, xy = (
            gaussian_filter(plane, 1.5, truncate=3.5) for plane in (x, y, x * x, y * y, x * y)
        )
        above = (2 * mean_x * mean_y + 1e-4) * (2 * (xy - mean_x * mean_y) + 9e-4)
        below = (mean_x**2 + mean_y**2 + 1e-4) * (xx - mean_x**2 + yy - mean_y**2 + 9e-4)
        values.append((above / below)[5:-5, 5:-5].mean())
    return float(np.mean(values))


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if min(shape[2:]) >= 11])
def test_ssim_is_what_others_mean_by_it(shape: tuple[int, int, int, int]) -> None:
    images, others = pair(*shape)
    expected = [filtered_ssim(a, b) for a, b in zip(images.numpy(), others.numpy(), strict=True)]
    assert structural_similarity(images, others).tolist() == pytest.approx(expected, abs=1e-5)


def test_what_lies_at_the_border_counts_as_often_as_windows_see_it() -> None:
    images = torch.from_numpy(smooth_images(1, 1, 24, 24))
    middle, corner = images.clone(), images.clone()
    middle[:, :, 10:14, 10:14], corner[:, :, :4, :4] = 0, 0
    assert structural_similarity(images, corner) > structural_similarity(images, middle)


def test_ssim_of_less_than_a_window() -> None:
    small = torch.zeros(2, 1, 4, 20, dtype=torch.uint8)
    with pytest.raises(UserError, match="sides of 5 pixels or more: these images have one of 4"):
        structural_similarity(small, small)


@pytest.mark.parametrize("shape", SHAPES)
def test_equal_images(shape: tuple[int, int, int, int]) -> None:
    images, _ = pair(*shape)
    assert mean_squared_error(images, images).tolist() == [0.0] * shape[0]
    assert peak_signal_to_noise(images, images).tolist() == [100.0] * shape[0]
    assert structural_similarity(images, images).tolist() == pytest.approx([1.0] * shape[0], abs=1e-5)


def test_flat_and_opposite_images_are_finite() -> None:
    black = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    for one, other in ((black, black), (black, black + 255), (black + 7, black + 8)):
        for measure in (mean_squared_error, peak_signal_to_noise, structural_similarity):
            assert torch.isfinite(measure(one, other)).all()
    assert mean_squared_error(black, black + 255).item() == 1
    assert peak_signal_to_noise(black, black + 255).item() == 0


@pytest.mark.parametrize("count", [1, 4])
def test_one_value_an_image(count: int) -> None:
    images, others = pair(count, 3, 16, 16)
    for measure in (mean_squared_error, peak_signal_to_noise, structural_similarity):
        values = measure(images, others)
        assert values.shape == (count,)
        assert values[-1].item() == pytest.approx(measure(images[-1:], others[-1:]).item(), abs=1e-5)


def test_they_are_symmetric() -> None:
    images, others = pair(2, 3, 16, 16)
    for measure in (mean_squared_error, peak_signal_to_noise, structural_similarity):
        assert measure(images, others).tolist() == pytest.approx(measure(others, images).tolist(), abs=1e-6)
