"""The kernel distance against loops over its definition, torchmetrics, and the spread of many draws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from spatialvae.errors import UserError
from spatialvae.metrics.samples import kernel as module
from spatialvae.metrics.samples.frechet import bootstrap_counts
from spatialvae.metrics.samples.kernel import kernel_distance
from tests.metrics.feature_sets import Pooled, skewed


def definition(features: Tensor, others: Tensor, labels: list[int], other_labels: list[int]) -> float:
    """Two loops; pairs of the same label are one image and are left out."""
    x, y = features.double().tolist(), others.double().tolist()

    def k(a: list[float], b: list[float]) -> float:
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    def within(points: list[list[float]], names: list[int]) -> float:
        pairs = itertools.product(range(len(points)), repeat=2)
        return float(np.mean([k(points[i], points[j]) for i, j in pairs if names[i] != names[j]]))

    return within(x, labels) + within(y, other_labels) - 2 * float(np.mean([k(a, b) for a in x for b in y]))


def unbiased(features: Tensor, others: Tensor) -> float:
    return definition(features, others, list(range(len(features))), list(range(len(others))))


@pytest.mark.parametrize(("n", "m", "dimension"), [(2, 2, 1), (9, 13, 4), (30, 20, 2)])
def test_it_is_the_definition(n: int, m: int, dimension: int) -> None:
    features, others = skewed(n, dimension, 1), skewed(m, dimension, 2, shift=0.4)
    distance = kernel_distance(features, others, resamples=0)
    assert distance.value == pytest.approx(unbiased(features, others), rel=1e-9)
    assert (distance.standard_error, distance.n) == (None, n)


@pytest.mark.parametrize("rows", [1, 4, 1000])
def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    features, others = skewed(13, 5, 1), skewed(9, 5, 2)
    whole = kernel_distance(features, others)
    monkeypatch.setattr(module, "ROWS", rows)
    parts = kernel_distance(features, others)
    assert parts.value == pytest.approx(whole.value, rel=1e-9)
    assert parts.standard_error == pytest.approx(whole.standard_error, rel=1e-9)


def test_resamples_leave_out_pairs_of_an_image_with_its_copy() -> None:
    features, others = skewed(8, 3, 1), skewed(6, 3, 2)
    generator = torch.Generator().manual_seed(4)
    counts = [list(bootstrap_counts(n, 5, generator)) for n in (8, 6)]
    draws = []
    for one, other in zip(*counts, strict=True):
        chosen = [torch.arange(len(each)).repeat_interleave(each.long()) for each in (one, other)]
        draws.append(definition(features[chosen[0]], others[chosen[1]], chosen[0].tolist(), chosen[1].tolist()))
    distance = kernel_distance(features, others, resamples=5, seed=4)
    assert distance.standard_error == pytest.approx(np.std(draws, ddof=1), rel=1e-8)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save all:UserWarning")
def test_torchmetrics_agrees() -> None:
    from torchmetrics.image.kid import KernelInceptionDistance

    real = torch.randint(0, 256, (60, 3, 8, 8), dtype=torch.uint8)
    fake = torch.randint(20, 200, (60, 3, 8, 8), dtype=torch.uint8)
    metric = KernelInceptionDistance(feature=Pooled(), subsets=1, subset_size=60)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    expected = metric.compute()[0].item()
    distance = kernel_distance(Pooled()(fake), Pooled()(real), resamples=0)
    assert distance.value == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_it_is_unbiased() -> None:
    # Sets of one distribution: zero on average, above and below.
    values = np.array(
        [kernel_distance(skewed(15, 3, i), skewed(10, 3, 900 + i), resamples=0).value for i in range(400)]
    )
    assert abs(values.mean()) < 4 * values.std() / 20
    assert values.min() < 0 < values.max()


def test_it_sees_what_the_moments_hide() -> None:
    # Mean and covariance agree, the third moment does not.
    generator = torch.Generator().manual_seed(0)
    left = -torch.empty(4000, 1).exponential_(generator=generator)
    right = torch.empty(4000, 1).exponential_(generator=generator)
    same = [(each - each.mean()) / each.std() for each in (left, right)]
    distance = kernel_distance(same[0], same[1], resamples=20)
    # k(a, b) = sum over moments: 1 + 3 ab + 3 a^2 b^2 + a^3 b^3, so that the distance is (E a^3 - E b^3)^2.
    expected = (same[0].double().pow(3).mean() - same[1].double().pow(3).mean()).square().item()
    assert distance.value == pytest.approx(expected, rel=0.05)


def test_the_error_is_the_spread_of_many_draws() -> None:
    n, m, dimension, shift = 200, 150, 5, 0.4
    draws = [(skewed(n, dimension, 1000 + i, shift), skewed(m, dimension, 5000 + i)) for i in range(200)]
    spread = np.std([kernel_distance(*pair, resamples=0).value for pair in draws], ddof=1)
    errors = [kernel_distance(*pair).standard_error for pair in draws[:8]]
    assert np.mean([error for error in errors if error]) == pytest.approx(spread, rel=0.3)


def test_the_same_seed_gives_the_same_error_and_leaves_no_trace() -> None:
    features, others = skewed(20, 4, 1), skewed(20, 4, 2)
    state = torch.random.get_rng_state()
    first, again, other = (kernel_distance(features, others, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.value == other.value
    assert first.standard_error != other.standard_error
    assert torch.equal(torch.random.get_rng_state(), state)


def test_two_images_still_have_a_finite_error() -> None:
    # Half of the resamples are one image twice.
    distance = kernel_distance(skewed(2, 3, 1), skewed(2, 3, 2))
    assert distance.standard_error is not None
    assert np.isfinite(distance.standard_error)


def test_large_features_do_not_overflow_or_cancel() -> None:
    features, others = skewed(20, 4, 1) * 100, skewed(20, 4, 2) * 100
    assert kernel_distance(features, others, resamples=0).value == pytest.approx(unbiased(features, others), rel=1e-6)


def test_bad_input() -> None:
    with pytest.raises(UserError, match="one network"):
        kernel_distance(torch.zeros(4, 2), torch.zeros(4, 3))
    with pytest.raises(UserError, match="at least 2"):
        kernel_distance(torch.zeros(1, 2), torch.zeros(4, 2))
