"""What the paper says about its four latents, and three consequences of it."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Distribution, kl_divergence
from torch.testing import assert_close

from spatialvae.latents import LATENTS, LowRank, MatrixNormalMaps, Naive, Vector, parse_latent
from spatialvae.priors import standard_normal
from tests.latents.cases import outputs

PAPER = ["vector", "naive", "matrix-normal", "low-rank"]
CELEBA, CIFAR = (64, 3, 3), (128, 3, 3)


@pytest.mark.parametrize(
    ("grid", "counts"), [(CELEBA, [162, 1152, 960, 768]), (CIFAR, [300, 2304, 1920, 1536])], ids=["celeba", "cifar"]
)
def test_encoder_outputs(grid: tuple[int, int, int], counts: list[int]) -> None:
    assert [parse_latent(name, grid).encoder_outputs for name in PAPER] == counts


@pytest.mark.parametrize(("n", "d"), [(1, 1), (5, 2), (64, 3), (7, 8)])
def test_the_formulas_for_encoder_outputs(n: int, d: int) -> None:
    assert Naive(n, d, d).encoder_outputs == 2 * d * d * n
    assert MatrixNormalMaps(n, d, d).encoder_outputs == (d * d + 2 * d) * n
    assert LowRank(n, d, d).encoder_outputs == 4 * d * n
    assert Vector(n).encoder_outputs == 2 * n


def test_a_long_map_counts_its_two_sides() -> None:
    assert MatrixNormalMaps(2, 3, 5).encoder_outputs == 2 * (15 + 3 + 5)
    assert LowRank(2, 3, 5, rank=2).encoder_outputs == 2 * (3 + 5) * 3


def test_the_python_spelling() -> None:
    latent = LATENTS["low-rank"](maps=64, height=3, width=3, rank=2)  # pyright: ignore[reportCallIssue]
    assert latent == parse_latent("low-rank:rank=2", CELEBA)


@pytest.mark.parametrize(("grid", "length"), [(CELEBA, 81), (CIFAR, 150), ((32, 3, 3), 41), ((1, 1, 1), 1)])
def test_the_default_length_of_the_vector(grid: tuple[int, int, int], length: int) -> None:
    assert parse_latent("vector", grid) == Vector(length)


def elementwise_kl(q: Distribution) -> torch.Tensor:
    """1/2 sum (sigma^2 + mu^2 - 1 - log sigma^2), for distributions whose numbers are independent."""
    terms = q.variance + q.mean.square() - 1 - q.variance.log()
    return 0.5 * terms.flatten(1).sum(1)


@pytest.mark.parametrize("spec", [*PAPER, "low-rank:rank=2", "low-rank:rank=3"])
@pytest.mark.parametrize("grid", [(3, 3, 3), (2, 3, 5)])
def test_kl_is_the_sum_over_independent_numbers(spec: str, grid: tuple[int, int, int]) -> None:
    latent = parse_latent(spec, grid)
    q = latent.distribution(outputs(latent))
    p = standard_normal(latent.event_shape, dtype=torch.float64)
    assert_close(kl_divergence(q, p), elementwise_kl(q))


@pytest.mark.parametrize("spec", ["vector", "naive"])
def test_a_raw_number_is_the_logarithm_of_a_standard_deviation(spec: str) -> None:
    # A raw number read as a log-variance in one place and as a log-scale in another would show here.
    latent = parse_latent(spec, (1, 1, 1))
    raw = {"loc": torch.tensor([[[[0.7]]]]), "scale": torch.tensor([[[[-1.2]]]])}
    q = latent.distribution(raw)
    sigma = torch.tensor(-1.2).exp()
    assert_close(q.stddev.squeeze(), sigma)
    by_hand = 0.5 * (sigma**2 + 0.49 - 1) + 1.2
    assert_close(kl_divergence(q, standard_normal((1, 1, 1))).squeeze(), by_hand)


@pytest.mark.parametrize("spec", ["matrix-normal", "low-rank"])
def test_row_scales_go_down_and_column_scales_across(spec: str) -> None:
    latent = parse_latent(spec, (1, 2, 3))
    raw = {name: torch.zeros(1, *shape) for name, shape in latent.shapes.items()}
    raw["row_scale"][0, 0, 1] = 1.0
    raw["column_scale"][0, 0, 2] = 0.5
    expected = torch.tensor([[0.0, 0.0, 0.5], [1.0, 1.0, 1.5]]).exp()
    assert_close(latent.distribution(raw).stddev[0, 0], expected)


def test_the_split_of_the_scale_is_a_gauge() -> None:
    latent = MatrixNormalMaps(2, 3, 5)
    raw = {name: value.detach() for name, value in outputs(latent).items()}
    moved = {**raw, "row_scale": raw["row_scale"] + 0.8, "column_scale": raw["column_scale"] - 0.8}
    p = standard_normal(latent.event_shape, dtype=torch.float64)
    distributions = [latent.distribution(parameters) for parameters in (raw, moved)]
    assert_close(distributions[0].stddev, distributions[1].stddev)
    assert_close(kl_divergence(distributions[0], p), kl_divergence(distributions[1], p))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_matrix_normal_of_1x1_is_the_vector(share: float) -> None:
    vector, maps = Vector(6), MatrixNormalMaps(6, 1, 1)
    raw = {name: value.detach() for name, value in outputs(vector).items()}
    scale = raw["scale"].flatten(2)
    split = {"loc": raw["loc"], "row_scale": share * scale, "column_scale": (1 - share) * scale}
    q, same = vector.distribution(raw), maps.distribution(split)
    p = standard_normal((6, 1, 1), dtype=torch.float64)
    z = p.sample(torch.Size([4]))
    assert_close(same.log_prob(z), q.log_prob(z))
    assert_close(kl_divergence(same, p), kl_divergence(q, p))
    draws = []
    for distribution in (q, same):
        torch.manual_seed(3)
        draws.append(distribution.rsample())
    assert_close(draws[0], draws[1])


def test_naive_of_1x1_is_the_vector() -> None:
    raw = {name: value.detach() for name, value in outputs(Vector(6)).items()}
    distributions = [latent.distribution(raw) for latent in (Vector(6), Naive(6, 1, 1))]
    z = torch.randn(4, 6, 1, 1, dtype=torch.float64)
    assert_close(distributions[0].log_prob(z), distributions[1].log_prob(z), rtol=0, atol=0)


@pytest.mark.parametrize(("height", "width"), [(3, 3), (3, 5), (4, 2)])
def test_low_rank_of_full_rank_reaches_every_mean(height: int, width: int) -> None:
    mean = torch.randn(4, 2, height, width, dtype=torch.float64)
    u, s, v = torch.linalg.svd(mean, full_matrices=False)
    latent = LowRank(2, height, width, rank=min(height, width))
    raw = {
        "row_factor": u * s.sqrt().unsqueeze(-2),
        "column_factor": v.mT * s.sqrt().unsqueeze(-2),
        "row_scale": torch.zeros(4, 2, height, dtype=torch.float64),
        "column_scale": torch.zeros(4, 2, width, dtype=torch.float64),
    }
    assert_close(latent.distribution(raw).mean, mean)


@pytest.mark.parametrize("rank", [1, 2])
def test_low_rank_means_have_no_higher_rank(rank: int) -> None:
    latent = LowRank(2, 3, 5, rank=rank)
    mean = latent.distribution(outputs(latent)).mean
    assert torch.linalg.matrix_rank(mean).unique().tolist() == [rank]


def test_rank_one_is_the_outer_product() -> None:
    latent = LowRank(2, 3, 5)
    raw = outputs(latent)
    mu, nu = raw["row_factor"][..., 0], raw["column_factor"][..., 0]
    assert_close(latent.distribution(raw).mean, torch.einsum("bki,bkj->bkij", mu, nu))
