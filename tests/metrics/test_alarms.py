"""The alarms and the share of draws in prior holes: silent where all is well, in plain words where not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.latents.base import independent_normals
from spatialvae.metrics.latent.aggregate import Aggregate, Moments
from spatialvae.metrics.latent.alarms import alarms
from spatialvae.metrics.latent.holes import share_outside
from spatialvae.priors import standard_normal

WELL: dict[str, Any] = {
    "n": 1000, "units": 200, "kl": 40.0, "active": 150, "outside": 0.02, "median_variance": 0.95,
}  # fmt: skip


def test_all_is_well() -> None:
    assert alarms(**WELL) == ()
    edges = {"kl": 0.1, "active": 20, "outside": 0.5}
    assert alarms(**{**WELL, **edges, "median_variance": 0.5}) == ()
    assert alarms(**{**WELL, **edges, "median_variance": 2.0}) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kl": 0.04}, ["Posterior collapse", "0.04 nats", "150 of its 200 numbers", "`beta`", "`kl_warmup`"]),
        ({"active": 1}, ["Posterior collapse", "40 nats", "1 of its 200 numbers"]),
        ({"active": 19}, ["Partial posterior collapse", "19 of its 200 numbers", "`maps`"]),
        ({"active": 2}, ["Partial posterior collapse", "2 of its 200 numbers"]),
        ({"outside": 0.87}, ["Prior holes", "87%", "will not look like the data", "`prior` gaussian"]),
        ({"median_variance": 0.31}, ["narrower than the prior", "0.31", "`prior` gaussian"]),
        ({"median_variance": 4.2}, ["wider than the prior", "4.2", "`prior` gaussian"]),
    ],
)
def test_each_alarm_says_its_numbers_and_what_to_do(change: dict[str, Any], words: list[str]) -> None:
    raised = alarms(**{**WELL, **change})
    assert len(raised) == 1
    assert raised[0].startswith(words[0]) or words[0] in raised[0]
    assert all(word in raised[0] for word in words), raised


def test_several_at_once() -> None:
    raised = alarms(n=100, units=50, kl=90.0, active=2, outside=1.0, median_variance=0.1)
    assert [sentence.split(":")[0] for sentence in raised[:2]] == ["Partial posterior collapse", "Prior holes"]
    assert len(raised) == 3


def test_few_images_are_judged_by_their_kl_alone() -> None:
    bad: dict[str, Any] = {"units": 50, "active": 0, "outside": 1.0, "median_variance": 0.01}
    assert alarms(n=49, kl=30.0, **bad) == ()
    assert len(alarms(n=50, kl=30.0, **bad)) == 3
    collapsed = alarms(n=1, kl=0.01, **{**bad, "active": None, "outside": None})
    assert len(collapsed) == 1
    assert "numbers are active" not in collapsed[0]


def normal(maps: int, height: int, width: int) -> Distribution:
    return standard_normal((maps, height, width), dtype=torch.float64)


def halves(loc: Tensor, scale: float) -> tuple[Aggregate, Tensor, Distribution]:
    """The aggregate of every other image, one code of each image between, and N(0, I)."""
    distributions = [independent_normals(part, torch.full_like(part, scale)) for part in (loc[::2], loc[1::2])]
    return Moments.of(distributions[0]).aggregate(), distributions[1].sample().flatten(1), normal(*loc.shape[1:])


@pytest.mark.parametrize("images", [60, 400, 4000])
def test_codes_spread_as_the_prior_leave_no_holes(images: int) -> None:
    # Means N(0, 0.8 I) and variances 0.2 make up N(0, I), whether or not the images are many for 90 numbers.
    loc = 0.8**0.5 * torch.randn(images, 10, 3, 3, dtype=torch.float64)
    share = share_outside(*halves(loc, 0.2**0.5))
    assert share < 0.12
    assert share == pytest.approx(0.01, abs=0.015) or images < 4000


def test_a_collapsed_code_leaves_no_holes() -> None:
    assert share_outside(*halves(torch.zeros(500, 4, 3, 3, dtype=torch.float64), 1.0)) < 0.05


@pytest.mark.parametrize("case", ["narrow", "on a plane"])
def test_codes_that_fill_little_of_the_space_leave_holes(case: str) -> None:
    loc = torch.randn(2000, 10, 3, 3, dtype=torch.float64)
    if case == "narrow":
        loc = 0.3 * loc
    else:
        loc[:, 5:] = loc[:, :5]
    assert share_outside(*halves(loc, 0.1)) > 0.99


def test_the_share_is_the_definitions() -> None:
    # Under a standard normal aggregate distances are norms: those of chi, whose quantile codes of given norms set.
    standard = Aggregate((4, 1, 1), torch.zeros(1, 4).double(), torch.eye(4)[None].double())
    norms = torch.linspace(0, 3, 301, dtype=torch.float64)
    codes = torch.nn.functional.one_hot(torch.arange(301) % 4, 4) * norms[:, None]
    torch.manual_seed(3)
    share = share_outside(standard, codes, normal(4, 1, 1))
    torch.manual_seed(3)
    draws = torch.randn(1000, 4, dtype=torch.float64)
    assert share == (draws.norm(dim=1) > 2.97).double().mean().item()


def test_a_collapse_under_a_likelihood_that_needs_no_code_says_so() -> None:
    [raised] = alarms(**{**WELL, "kl": 0.01, "active": 0}, autoregressive=True)
    assert raised.startswith("Posterior collapse: the KL is 0.01 nats")
    assert "bits per dim says nothing of the code" in raised
    assert alarms(**WELL, autoregressive=True) == ()
