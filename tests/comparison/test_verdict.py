"""Who is best, and when that is said: only where the interval against every other model excludes a tie."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spatialvae.comparison.verdict import best, difference
from spatialvae.metrics import Estimate, Evaluation
from tests.metrics.results import evaluation


def measured(values: dict[str, Tensor] | None = None, frechet: Estimate | None = None) -> Evaluation:
    """One run's results: metrics with one value an image from those values, and one of sets."""
    values = values or {}
    estimates = {key: Estimate.of(value) for key, value in values.items()}
    sets = {} if frechet is None else {"frechet/gaussian": frechet}
    return evaluation({**estimates, **sets}, values)


def models(*offsets: float, key: str = "elbo", seeds: int = 3, spread: float = 0.01) -> list[list[Evaluation]]:
    """Models whose values differ by their offset, on 20 images that differ much more."""
    hard = 100 * torch.randn(20, dtype=torch.float64)
    noise = (spread * torch.randn(20, dtype=torch.float64) for _ in range(len(offsets) * seeds))
    return [[measured({key: hard + offset + next(noise)}) for _ in range(seeds)] for offset in offsets]


def set_metric(*values: float, error: float = 0.1) -> list[list[Evaluation]]:
    """Models of one seed with a metric of sets."""
    return [[measured(frechet=Estimate(value, error, 100))] for value in values]


@pytest.mark.parametrize("key", ["elbo", "frechet/gaussian"])
def test_with_one_seed_nobody_is_best_however_far_ahead(key: str) -> None:
    ahead = {"elbo": models(0.0, 1000.0, seeds=1), "frechet/gaussian": set_metric(5.0, 4000.0)}[key]
    verdict = difference(ahead[1], ahead[0], key)
    assert (
        verdict is not None and verdict.excludes_tie and verdict.over == "images"
    )  # between these trainings it is sure
    assert best(ahead, key) is None
    assert best(models(0.0, 1000.0, seeds=2), "elbo") == 1


@pytest.mark.parametrize(
    ("key", "offsets", "index"),
    [
        ("elbo", (0.0, 1.0, 0.5), 1),
        ("nll", (0.0, 1.0, 0.5), 0),
        ("elbo", (0.0, 1.0, 1.0), None),  # two share the first place
        ("elbo", (1.0, 1.0, 0.0), None),
        ("kl", (0.0, 1.0, 0.5), None),  # neither more nor less is better
        ("elbo", (0.0,), None),  # nobody to be better than
    ],
)
def test_the_best_is_better_than_every_other(key: str, offsets: tuple[float, ...], index: int | None) -> None:
    assert best(models(*offsets, key=key), key) == index


def test_a_best_one_among_many_is_no_best_one_if_the_spread_is_large() -> None:
    assert best(models(0.0, 1.0, spread=30.0), "elbo") is None


def test_models_without_the_metric_do_not_take_part() -> None:
    result = models(0.0, 5.0, 1.0, key="ssim")
    result[1] = [measured() for _ in range(3)]
    assert best(result, "ssim") == 2
    result[0] = [measured({"ssim": torch.zeros(20)}), measured(), measured()]  # one seed of three is not enough
    assert best(result, "ssim") is None
    assert difference(result[2], result[0], "ssim") is None


def test_sets_of_one_seed_are_compared_by_their_errors() -> None:
    one, other = set_metric(5.0, 4.0)
    verdict = difference(one, other, "frechet/gaussian")
    assert verdict is not None and (verdict.value, verdict.paired) == (1.0, "none")
    unknown = [measured(frechet=Estimate(5.0, None, 100))]
    assert difference(unknown, other, "frechet/gaussian") is None


def test_sets_of_several_seeds_are_paired_by_seed() -> None:
    # The first seed is harder for both models: the difference is the same for all.
    sides = [[measured(frechet=Estimate(value + seed, 9.0, 100)) for seed in (8.0, 1.0, 3.0)] for value in (5.0, 4.0)]
    verdict = difference(sides[0], sides[1], "frechet/gaussian")
    assert verdict is not None and verdict.excludes_tie
    assert (verdict.value, verdict.paired) == (1.0, "seed")
    assert best(sides, "frechet/gaussian") == 1


def test_images_are_paired() -> None:
    one, other = models(1.0, 0.0)
    verdict = difference(one, other, "elbo")
    assert verdict is not None and verdict.paired == "seed and image"
    assert verdict.value == pytest.approx(1.0, abs=0.01)
    assert verdict.excludes_tie
