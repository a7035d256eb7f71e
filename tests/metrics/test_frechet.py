"""The Fréchet distance against its definition, closed forms, torchmetrics, and the spread of many draws."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from spatialvae.errors import UserError
from spatialvae.metrics.samples.frechet import bootstrap_counts, frechet, frechet_distance, too_few
from tests.metrics.feature_sets import Pooled, gaussian, skewed

module: Any = importlib.import_module("spatialvae.metrics.samples.frechet")  # the package has a function of that name

CASES = [(40, 60, 5), (200, 100, 16), (2000, 3000, 8), (2, 2, 1)]


def definition(features: Tensor, others: Tensor) -> float:
    """By numpy's covariance and scipy's root of a matrix."""
    x, y = features.double().numpy(), others.double().numpy()
    one, other = np.atleast_2d(np.cov(x, rowvar=False)), np.atleast_2d(np.cov(y, rowvar=False))
    root = scipy.linalg.sqrtm(one @ other)
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(one + other - 2 * np.real(root)))


@pytest.mark.parametrize(("n", "m", "dimension"), CASES)
def test_it_is_the_definition(n: int, m: int, dimension: int) -> None:
    features, others = skewed(n, dimension, 1), skewed(m, dimension, 2, shift=0.3)
    assert frechet_distance(features, others) == pytest.approx(definition(features, others), rel=1e-8)
    assert frechet_distance(others, features) == pytest.approx(frechet_distance(features, others), rel=1e-8)


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    features, others = skewed(53, 6, 1), skewed(41, 6, 2)
    whole = frechet(features, others, resamples=5)
    monkeypatch.setattr(module, "ROWS", 7)
    parts = frechet(features, others, resamples=5)
    assert parts.value == pytest.approx(whole.value, rel=1e-10)
    assert parts.standard_error == pytest.approx(whole.standard_error, rel=1e-8)


def test_gaussians_of_known_parameters() -> None:
    # With covariances A and 4 A the root is 2 A: trace(A + 4 A - 4 A) = trace(A).
    root = torch.randn(4, 4, dtype=torch.float64)
    loc = torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=torch.float64)
    expected = 5.25 + (root @ root.mT).trace().item()
    n = 60_000
    distance = frechet(gaussian(n, torch.zeros_like(loc), root, 1), gaussian(n, loc, 2 * root, 2), resamples=20)
    assert distance.standard_error is not None
    assert distance.value == pytest.approx(expected, abs=5 * distance.standard_error)
    assert distance.value == pytest.approx(expected, rel=0.03)


def test_exact_moments_give_the_closed_form() -> None:
    # Four points at +-a along one axis and +-b along the other: variances 2 a^2/3 and 2 b^2/3, no covariance.
    def cross(a: float, b: float, shift: float) -> Tensor:
        return torch.tensor([[a, 0], [-a, 0], [0, b], [0, -b]], dtype=torch.float64) + shift

    expected = 2 * 0.5**2 + 2 / 3 * ((3 - 1) ** 2 + (2 - 5) ** 2)
    assert frechet_distance(cross(3, 2, 0), cross(1, 5, 0.5)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dimension", [3, 30])
def test_equal_sets(dimension: int) -> None:
    features = skewed(20, dimension, 1)  # 20 images have a singular covariance of 30 features
    distance = frechet_distance(features, features.clone())
    assert 0 <= distance < 1e-5
    shuffled = features[torch.randperm(20)]
    assert 0 <= frechet_distance(features, shuffled) < 1e-5


def test_singular_covariances() -> None:
    # In orthogonal subspaces the root vanishes and the traces add up; a constant feature has a variance of zero.
    generator = torch.Generator().manual_seed(0)
    one, other = torch.zeros(50, 6), torch.zeros(50, 6)
    one[:, :2], other[:, 3:5] = torch.randn(50, 2, generator=generator), torch.randn(50, 2, generator=generator)
    gap = (one.double().mean(0) - other.double().mean(0)).square().sum()
    expected = (gap + one.double().var(0).sum() + other.double().var(0).sum()).item()
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(torch.zeros(5, 3), torch.ones(4, 3)) == 3.0


def test_a_common_shift_and_rotation_change_nothing() -> None:
    features, others = skewed(300, 7, 1).double(), skewed(200, 7, 2).double()
    rotation = torch.linalg.qr(torch.randn(7, 7, dtype=torch.float64))[0]
    expected = frechet_distance(features, others)
    assert frechet_distance(features @ rotation + 1e4, others @ rotation + 1e4) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(3 * features, 3 * others) == pytest.approx(9 * expected, rel=1e-8)


def test_torchmetrics_agrees() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    real = torch.randint(0, 256, (80, 3, 8, 8), dtype=torch.uint8)
    fake = torch.randint(20, 200, (60, 3, 8, 8), dtype=torch.uint8)
    metric = FrechetInceptionDistance(feature=Pooled())
    metric.set_dtype(torch.float64)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    distance = frechet_distance(Pooled()(fake), Pooled()(real))
    assert distance == pytest.approx(metric.compute().item(), rel=1e-4)


@pytest.mark.parametrize("shift", [0.2, 0.5])
def test_the_error_is_the_spread_of_many_draws(shift: float) -> None:
    n, m, dimension = 500, 300, 6
    values = [
        frechet_distance(skewed(n, dimension, 1000 + i, shift), skewed(m, dimension, 5000 + i)) for i in range(150)
    ]
    spread = float(np.std(values, ddof=1))
    errors = [
        frechet(skewed(n, dimension, 1000 + i, shift), skewed(m, dimension, 5000 + i)).standard_error for i in range(6)
    ]
    assert np.mean([error for error in errors if error]) == pytest.approx(spread, rel=0.25)


def test_resamples_are_resampled_sets() -> None:
    features, others = skewed(30, 4, 1), skewed(25, 4, 2)
    generator = torch.Generator().manual_seed(7)
    draws = []
    for one, other in zip(bootstrap_counts(30, 9, generator), bootstrap_counts(25, 9, generator), strict=True):
        draws.append(definition(features.repeat_interleave(one.long(), 0), others.repeat_interleave(other.long(), 0)))
    distance = frechet(features, others, resamples=9, seed=7)
    assert distance.standard_error == pytest.approx(np.std(draws, ddof=1), rel=1e-6)


def test_an_estimate_and_its_seed() -> None:
    features, others = skewed(60, 4, 1), skewed(50, 4, 2)
    state = torch.random.get_rng_state()
    first, again, other = (frechet(features, others, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.n == 60
    assert first.value == other.value == frechet_distance(features, others)
    assert first.standard_error != other.standard_error
    assert torch.equal(torch.random.get_rng_state(), state)
    assert frechet(features, others, resamples=1).standard_error is None


def test_the_linear_error_is_the_bootstraps(monkeypatch: pytest.MonkeyPatch) -> None:
    features, others = skewed(3000, 6, 1, 0.4), skewed(2000, 6, 2)
    bootstrap = frechet(features, others)
    monkeypatch.setattr(module, "MOST_RESAMPLED", 5)
    linear = frechet(features, others)
    assert linear.value == bootstrap.value
    assert linear.standard_error == pytest.approx(bootstrap.standard_error, rel=0.2)
    swapped = frechet(others, features)
    assert swapped.standard_error == pytest.approx(linear.standard_error, rel=1e-6)


def test_the_linear_error_is_the_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two equal Gaussians but for their means: T is the identity and the error that of 2 (m1 - m2).x.
    features = skewed(400, 3, 1).double()
    others = features + 0.5
    monkeypatch.setattr(module, "MOST_RESAMPLED", 2)
    expected = (2 * (features @ torch.full((3,), 0.5).double()).var() * 4 / 400).sqrt().item()
    assert frechet(features, others).standard_error == pytest.approx(expected, rel=1e-6)


def test_many_features_are_not_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "bootstrap_counts", None)
    distance = frechet(skewed(300, 257, 1, 0.2), skewed(300, 257, 2))
    assert distance.standard_error is not None
    assert 0 < distance.standard_error < distance.value


def test_few_images_are_warned_of() -> None:
    assert too_few(640, 64) is None
    warning = too_few(639, 64)
    assert warning is not None
    assert "639 images" in warning
    assert "640 or more" in warning
    # And rightly: the distance of two sets of one distribution falls with their size.
    values = [frechet_distance(skewed(n, 16, 1), skewed(n, 16, 2)) for n in (40, 160, 2560)]
    assert values == sorted(values, reverse=True)
    assert math.isclose(values[0], 4 * values[1], rel_tol=1)


def test_bad_input() -> None:
    with pytest.raises(UserError, match="one network"):
        frechet_distance(torch.zeros(4, 2), torch.zeros(4, 3))
    with pytest.raises(UserError, match="not finite"):
        frechet(torch.full((4, 2), float("inf")), torch.zeros(4, 2))
