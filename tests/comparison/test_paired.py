"""Differences between models: against the definitions, scipy's tests, and how often the interval holds the truth."""

from __future__ import annotations

import math

import pytest
import scipy.stats
import torch
from torch import Tensor

from spatialvae.comparison.paired import paired_by_image, paired_by_seed, t_quantile, unpaired
from spatialvae.metrics import Estimate
from spatialvae.records import as_json
from spatialvae.results import Difference


def two_way(seeds: int, images: int, spread: tuple[float, float, float], truth: float) -> tuple[Tensor, Tensor]:
    """Two models' values [S, n]: they share hard images and lucky seeds; their difference varies by both and chance."""
    by_seed, by_image, noise = spread
    shared = 10 * torch.randn(seeds, 1, dtype=torch.float64) + 20 * torch.randn(1, images, dtype=torch.float64)
    difference = (
        truth
        + by_seed * torch.randn(seeds, 1, dtype=torch.float64)
        + by_image * torch.randn(1, images, dtype=torch.float64)
        + noise * torch.randn(seeds, images, dtype=torch.float64)
    )
    return shared + difference, shared


def test_the_definition_in_loops() -> None:
    values, baseline = two_way(3, 7, (1.0, 2.0, 0.5), 4.0)
    estimate = paired_by_image(values, baseline)
    assert estimate is not None
    rows = [[float(values[k, i] - baseline[k, i]) for i in range(7)] for k in range(3)]
    of_seeds = [sum(row) / 7 for row in rows]
    of_images = [sum(row[i] for row in rows) / 3 for i in range(7)]
    mean = sum(of_seeds) / 3
    seed_term = sum((value - mean) ** 2 for value in of_seeds) / 2 / 3
    image_term = sum((value - mean) ** 2 for value in of_images) / 6 / 7
    half = math.sqrt(scipy.stats.t.ppf(0.975, 2) ** 2 * seed_term + scipy.stats.t.ppf(0.975, 6) ** 2 * image_term)
    assert estimate.value == pytest.approx(mean)
    assert (estimate.low, estimate.high) == pytest.approx((mean - half, mean + half))
    assert as_json(estimate) == {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "paired": "seed and image",
        "over": "seeds and images",
        "confidence": 0.95,
    }


def test_one_seed_is_the_paired_t_test_over_images() -> None:
    values, baseline = two_way(1, 12, (0.0, 1.0, 1.0), 0.5)
    estimate = paired_by_image(values, baseline)
    expected = scipy.stats.ttest_rel(values[0], baseline[0]).confidence_interval(0.95)
    assert estimate is not None and estimate.over == "images"
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))


def test_one_image_is_the_paired_t_test_over_seeds() -> None:
    values, baseline = two_way(5, 1, (1.0, 0.0, 0.0), 0.5)
    estimate = paired_by_image(values, baseline)
    expected = scipy.stats.ttest_rel(values[:, 0], baseline[:, 0]).confidence_interval(0.95)
    by_seed = paired_by_seed(values[:, 0], baseline[:, 0])
    assert estimate is not None and by_seed is not None
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))
    assert (by_seed.low, by_seed.high) == pytest.approx((expected.low, expected.high))
    assert (by_seed.paired, by_seed.over, estimate.over) == ("seed", "seeds", "seeds")


def test_pairing_takes_away_what_both_share() -> None:
    values, baseline = two_way(3, 200, (0.01, 0.1, 0.1), 0.3)
    estimate = paired_by_image(values, baseline)
    assert estimate is not None and estimate.excludes_tie
    assert (estimate.high - estimate.low) / 2 < 0.1 < values.std().item() / math.sqrt(values.numel())


def test_unpaired_errors_add_as_squares() -> None:
    estimate = unpaired(Estimate(5.0, 3.0, 10), Estimate(1.0, 4.0, 10))
    assert estimate is not None
    half = scipy.stats.norm.ppf(0.975) * 5
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((4.0, 4 - half, 4 + half))
    assert (estimate.paired, estimate.over, estimate.excludes_tie) == ("none", "images", False)


def test_what_says_nothing_about_the_spread() -> None:
    one = torch.ones(1, 1)
    assert paired_by_image(one, one) is None
    assert paired_by_seed(one[0], one[0]) is None
    assert unpaired(Estimate(1.0, None, 1), Estimate(1.0, 0.5, 9)) is None
    assert unpaired(Estimate(1.0, 0.5, 9), Estimate(1.0, None, 1)) is None


def test_equal_differences_have_no_spread() -> None:
    values = torch.arange(6.0).reshape(2, 3)
    assert paired_by_image(values + 2, values) == Difference(2.0, 2.0, 2.0, "seed and image", "seeds and images")
    assert paired_by_image(values, values) == Difference(0.0, 0.0, 0.0, "seed and image", "seeds and images")
    assert not Difference(0.0, 0.0, 0.0, "seed", "seeds").excludes_tie


@pytest.mark.parametrize("shapes", [((2, 3), (3, 3)), ((2, 3), (2, 4)), ((3,), (3,)), ((1, 2, 3), (1, 2, 3))])
def test_tables_of_other_shapes(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="are wanted"):
        paired_by_image(torch.zeros(shapes[0]), torch.zeros(shapes[1]))
    with pytest.raises(ValueError, match="are wanted"):
        paired_by_seed(torch.zeros(2), torch.zeros(3))


@pytest.mark.parametrize("freedom", [1, 1.37, 2, 2.5, 3, 7.9, 30, 123.4, 1e4, 1e6])
def test_the_quantile_is_students(freedom: float) -> None:
    for probability in (0.6, 0.9, 0.975, 0.995):
        expected = float(scipy.stats.t.ppf(probability, freedom))
        assert t_quantile(probability, freedom) == pytest.approx(expected, abs=1e-6)
        # and by the density alone, integrated: an oracle that shares no code
        inside, _ = scipy.integrate.quad(lambda x: scipy.stats.t.pdf(x, freedom), 0, expected, epsabs=1e-10)
        assert 0.5 + inside == pytest.approx(probability, abs=1e-7)
    assert t_quantile(0.975, math.inf) == pytest.approx(float(scipy.stats.norm.ppf(0.975)))


@pytest.mark.parametrize(
    ("seeds", "images", "spread"),
    [
        (3, 40, (1.0, 1.0, 1.0)),
        (3, 40, (1.0, 0.0, 0.0)),  # the seeds alone
        (3, 40, (0.0, 1.0, 0.0)),  # the images alone
        (3, 40, (0.0, 0.0, 1.0)),  # chance alone
        (3, 40, (0.2, 1.0, 0.5)),  # seeds and images alike
        (2, 20, (0.5, 1.0, 1.0)),
        (8, 15, (0.5, 1.0, 3.0)),
        (1, 40, (0.0, 1.0, 1.0)),
    ],
)
def test_the_interval_holds_the_truth(seeds: int, images: int, spread: tuple[float, float, float]) -> None:
    repeats, truth = 700, 0.7  # the standard error of a share of 0.95 is 0.008
    estimate = [paired_by_image(*two_way(seeds, images, spread, truth)) for _ in range(repeats)]
    assert sum(one is not None and one.low <= truth <= one.high for one in estimate) / repeats >= 0.93
