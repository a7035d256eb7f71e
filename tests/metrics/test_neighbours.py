"""Precision, recall, density and coverage against their definitions, and in cases whose answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from spatialvae.errors import UserError
from spatialvae.estimate import Estimate
from spatialvae.metrics.samples import distances
from spatialvae.metrics.samples.neighbours import ROUNDING, density_coverage, neighbour_metrics, precision_recall

NAMES = ["precision", "recall", "density", "coverage"]


def clouds(real: int = 30, fake: int = 25, size: int = 3) -> tuple[Tensor, Tensor]:
    return torch.randn(real, size, dtype=torch.float64), 0.8 * torch.randn(fake, size, dtype=torch.float64) + 1.0


def radii(points: np.ndarray, k: int) -> np.ndarray:
    """By scikit-learn: asked without points, it leaves each point out of its own neighbours."""
    return NearestNeighbors(n_neighbors=k).fit(points).kneighbors()[0][:, -1]


def per_image(real: Tensor, fake: Tensor, k: int, ball_k: int) -> dict[str, np.ndarray]:
    """One value an averaged image, by loops over the definitions."""
    x, y = real.double().numpy(), fake.double().numpy()
    x_radii, y_radii, balls = radii(x, k), radii(y, k), radii(x, ball_k)
    results: dict[str, list[float]] = {name: [] for name in NAMES}
    for b in y:
        results["precision"].append(any(np.linalg.norm(a - b) <= r for a, r in zip(x, x_radii, strict=True)))
        results["density"].append(sum(np.linalg.norm(a - b) <= r for a, r in zip(x, balls, strict=True)) / ball_k)
    for a, ball in zip(x, balls, strict=True):
        results["recall"].append(any(np.linalg.norm(a - b) <= r for b, r in zip(y, y_radii, strict=True)))
        results["coverage"].append(any(np.linalg.norm(a - b) <= ball for b in y))
    return {name: np.array(values, dtype=float) for name, values in results.items()}


def values(result: dict[str, Estimate]) -> dict[str, float]:
    return {name: estimate.value for name, estimate in result.items()}


@pytest.mark.parametrize("rows", [1, 4, 2048])
def test_they_are_the_definitions_in_any_blocks(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "BLOCK_ROWS", rows)
    real, fake = clouds()
    metrics, expected = neighbour_metrics(real, fake), per_image(real, fake, 3, 5)
    assert list(metrics) == NAMES
    for name, each in expected.items():
        assert metrics[name].value == pytest.approx(each.mean(), abs=1e-12)
        assert metrics[name].standard_error == pytest.approx(each.std(ddof=1) / len(each) ** 0.5)
        assert metrics[name].n == len(each)
        assert 0.1 < metrics[name].value < 0.95  # else the case would tell nothing


@pytest.mark.parametrize("k", [1, 2, 7])
def test_any_number_of_neighbours(k: int) -> None:
    real, fake = clouds()
    expected = per_image(real, fake, k, k)
    metrics = {**precision_recall(real, fake, k), **density_coverage(real, fake, k)}
    assert values(metrics) == pytest.approx({name: each.mean() for name, each in expected.items()})
    assert list(precision_recall(real, fake)) == NAMES[:2]
    assert list(density_coverage(real, fake)) == NAMES[2:]


def test_the_papers_numbers_of_neighbours() -> None:
    real, fake = clouds()
    together = neighbour_metrics(real, fake)
    assert together == {**precision_recall(real, fake, 3), **density_coverage(real, fake, 5)}
    assert together == {**precision_recall(real, fake), **density_coverage(real, fake)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shift", [0.0, 300.0])
def test_a_set_against_itself(dtype: torch.dtype, shift: float, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every point is in its own ball and, on the surface included, in those of which it is among the k nearest.
    monkeypatch.setattr(distances, "BLOCK_ROWS", 17)
    points = torch.randn(60, 40, dtype=dtype) + shift
    metrics = values(neighbour_metrics(points, points[torch.randperm(60)]))
    assert metrics == {"precision": 1.0, "recall": 1.0, "density": pytest.approx(6 / 5), "coverage": 1.0}


def test_copies_have_balls_of_radius_zero_that_hold_them() -> None:
    points = torch.randn(3, 50).repeat_interleave(6, 0) * 100
    assert values(neighbour_metrics(points, points)) == pytest.approx(
        {"precision": 1.0, "recall": 1.0, "density": 6 / 5, "coverage": 1.0}
    )
    nudged = values(neighbour_metrics(points, points + 1e-3))
    assert nudged == dict.fromkeys(NAMES, 0.0)


def test_equal_rows_are_at_distance_zero_exactly() -> None:
    # In blocks of other shapes too; without the allowance for rounding some come out above 0.
    points = torch.randn(50, 301) * 100
    options: Any = {"names": ("a", "b")}
    one_by_one = [next(distances.squared_distances(point[None], points, **options))[2] for point in points]
    assert torch.cat(one_by_one).diagonal().max() > 0
    for point, place in zip(points, range(50), strict=True):
        *_, squared = next(distances.squared_distances(point[None], points, rounding=ROUNDING, **options))
        assert squared[0, place] == 0
        assert (squared == 0).sum() == 1


def test_sets_far_from_each_other() -> None:
    real, fake = clouds()
    metrics = neighbour_metrics(real, fake + 1000)
    assert values(metrics) == dict.fromkeys(NAMES, 0.0)
    assert {estimate.standard_error for estimate in metrics.values()} == {0.0}


def test_a_dropped_mode_lowers_recall_and_coverage_alone() -> None:
    first, second = torch.randn(2, 200, 2) * 0.1
    real, both, one = (
        torch.cat([first[:100], second[:100] + 9]),
        torch.cat([first[100:], second[100:] + 9]),
        first[100:],
    )
    whole, half = values(neighbour_metrics(real, both)), values(neighbour_metrics(real, one))
    assert min(whole.values()) > 0.8
    assert half["precision"] == pytest.approx(whole["precision"], abs=0.1)
    assert half["density"] == pytest.approx(whole["density"], abs=0.15)
    assert half["recall"] == pytest.approx(whole["recall"] / 2, abs=0.05)
    assert half["coverage"] == pytest.approx(whole["coverage"] / 2, abs=0.05)


def test_an_outlier_opens_precision_but_not_density() -> None:
    real = torch.cat([torch.randn(100, 2), torch.tensor([[500.0, 0.0]])])
    fake = torch.rand(100, 2) * 50 + 100
    metrics = values(neighbour_metrics(real, fake))
    assert metrics["precision"] == 1.0  # all in the outlier's ball
    assert metrics["density"] == pytest.approx(1 / 5)
    assert metrics["coverage"] == pytest.approx(1 / 101)


def test_two_sets_of_one_distribution() -> None:
    # E density = 1 and E coverage = 1 - [(n-1)...(n-k)] / [(2n-1)...(2n-k)] (Naeem et al., 2020, lemmas 1 and 2).
    n, k = 800, 5
    metrics = density_coverage(torch.randn(n, 4), torch.randn(n, 4), k)
    missed = np.prod([(n - i) / (2 * n - i) for i in range(1, k + 1)])
    assert metrics["density"].value == pytest.approx(1, abs=0.1)
    assert metrics["coverage"].value == pytest.approx(1 - missed, abs=0.03)


def test_the_standard_error_is_a_bootstrap_over_the_averaged_set() -> None:
    real, fake = clouds(80, 60)
    metrics = neighbour_metrics(real, fake)
    for name, each in per_image(real, fake, 3, 5).items():
        draws = torch.randint(len(each), (4000, len(each))).numpy()
        assert metrics[name].standard_error == pytest.approx(each[draws].mean(1).std(), rel=0.06)


def test_resampling_the_points_of_the_radii_would_shrink_the_balls() -> None:
    # Why the bootstrap leaves the radii alone: copies in the resampled set are each other's nearest neighbours.
    real, fake = clouds(80, 60)
    again = [precision_recall(real[torch.randint(80, (80,))], fake)["precision"].value for _ in range(20)]
    whole = precision_recall(real, fake)["precision"]
    assert whole.standard_error is not None
    assert np.mean(again) < whole.value - 2 * whole.standard_error


def test_nothing_of_the_input_changes_and_no_graph_is_kept() -> None:
    real, fake = clouds()
    kept = real.clone()
    neighbour_metrics(real.requires_grad_(), fake)
    assert torch.equal(real, kept)


@pytest.mark.parametrize(
    ("real", "fake", "words"),
    [
        (torch.rand(5, 2), torch.rand(9, 2), "There are 5 real features; 5 nearest neighbours need at least 6 images"),
        (torch.rand(9, 2), torch.rand(5, 2), "There are 5 fake features"),
        (torch.rand(9, 2), torch.rand(9, 3), "2 real features and 3 fake ones"),
        (torch.rand(9, 2, 1), torch.rand(9, 2), r"real features are torch.float32 \[9, 2, 1\]"),
        (torch.rand(9, 2), torch.zeros(9, 2, dtype=torch.uint8), "fake features are torch.uint8"),
        (torch.rand(9, 2), torch.full((9, 2), torch.nan), "The fake features hold NaN"),
        (torch.full((9, 2), torch.inf), torch.rand(9, 2), "The real features hold NaN or infinite"),
    ],
)
def test_bad_input_is_told(real: Tensor, fake: Tensor, words: str) -> None:
    with pytest.raises(UserError, match=words):
        neighbour_metrics(real, fake)


def test_bad_k_is_told() -> None:
    with pytest.raises(UserError, match="k is 0"):
        precision_recall(*clouds(), k=0)
    with pytest.raises(UserError, match="30 nearest neighbours need at least 31 images"):
        density_coverage(*clouds(), k=30)
    assert neighbour_metrics(*clouds(6, 6))["recall"].n == 6
