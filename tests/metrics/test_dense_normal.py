"""The dense Gaussian against torch's own, and its divergences against Monte Carlo."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal, kl_divergence
from torch.testing import assert_close

from spatialvae.latents import AbstractLatent, parse_latent
from spatialvae.metrics.likelihood.dense_family import best_dense, largest_block
from spatialvae.metrics.likelihood.dense_normal import DenseNormal
from spatialvae.priors import standard_normal
from tests.latents.cases import CASES, outputs, spelled

EVENT = (2, 2, 3)
DRAWS = 20_000


def dense(sizes: list[int], batch: int = 3) -> tuple[DenseNormal, Tensor]:
    """A random one, and its covariance in the order of a flattened code."""
    blocks = [torch.randn(batch, n, n, dtype=torch.float64).tril() for n in sizes]
    for block in blocks:
        block.diagonal(dim1=-2, dim2=-1).abs_().add_(0.3)
    order = torch.randperm(sum(sizes))
    q = DenseNormal(torch.randn(batch, *EVENT, dtype=torch.float64), blocks, order)
    whole = torch.stack([torch.block_diag(*(block[i] for block in blocks)) for i in range(batch)])
    moved = whole[:, order.argsort()]
    return q, moved @ moved.mT


@pytest.mark.parametrize("sizes", [[12], [5, 5, 2]])
def test_it_is_torchs_multivariate_normal(sizes: list[int]) -> None:
    q, covariance = dense(sizes)
    wanted = MultivariateNormal(q.loc.flatten(1), covariance)
    codes = torch.randn(4, 2, 3, *EVENT, dtype=torch.float64)
    assert_close(q.log_prob(codes), wanted.log_prob(codes.flatten(-3)))
    assert_close(q.entropy(), wanted.entropy())
    assert_close(q.variance.flatten(1), wanted.variance)
    drawn = q.rsample((DRAWS,)).flatten(-3)
    assert q.rsample().shape == (3, *EVENT)
    spread = covariance.diagonal(dim1=-2, dim2=-1)
    assert ((drawn.mean(0) - wanted.mean).abs() < 5.5 * (spread / DRAWS).sqrt()).all()
    sample = torch.stack([drawn[:, i].mT.cov() for i in range(3)])
    error = ((spread[:, :, None] * spread[:, None] + covariance.square()) / DRAWS).sqrt()
    assert ((sample - covariance).abs() < 5.5 * error).all()


PRIORS = ["naive", "matrix-normal", "matrix-normal:covariance=full", "tensor-normal:covariance=ar1", "standard"]


@pytest.mark.parametrize("sizes", [[12], [5, 5, 2]])
@pytest.mark.parametrize("spec", PRIORS)
def test_the_divergence_is_that_of_monte_carlo(sizes: list[int], spec: str) -> None:
    q, _ = dense(sizes)
    if spec == "standard":
        p: Distribution = standard_normal(EVENT, dtype=torch.float64)
    else:
        latent = parse_latent(spec, EVENT)
        shapes = {**latent.shapes, **latent.shared_shapes}
        p = latent.distribution({name: 0.4 * torch.randn(shape).double() for name, shape in shapes.items()})
    codes = q.rsample((DRAWS,))
    ratio = q.log_prob(codes) - p.log_prob(codes)
    error = (ratio.mean(0) - kl_divergence(q, p)).abs()
    assert (error < 5.5 * ratio.std(0) / math.sqrt(DRAWS)).all()


@pytest.mark.parametrize("latent", CASES, ids=spelled)
def test_a_fit_starts_as_the_refined_q(latent: AbstractLatent) -> None:
    q = latent.distribution({name: value.detach() for name, value in outputs(latent).items()})
    codes = q.sample(torch.Size([3]))
    start = fitted(q, latent.numbers, steps=0)
    assert_close(start.log_prob(codes), q.log_prob(codes))
    runs = fitted(q, max(1, latent.numbers - 1), steps=0)
    assert_close(runs.variance, q.variance)
    assert_close(runs.mean, q.mean)


def fitted(q: Distribution, block: int, steps: int) -> Distribution:
    return best_dense(q, lambda codes: -codes.square().flatten(-3).sum(-1), block=block, steps=steps, draws=4, seed=0).q


def test_a_start_far_off_ends_at_the_exact_posterior() -> None:
    # log p(x, z) of a normal with variances from 1e-4 to 1e2: no step of the fit may leave the normals.
    scales = torch.logspace(-2, 1, 12, dtype=torch.float64)
    factor = torch.linalg.qr(torch.randn(12, 12, dtype=torch.float64)).Q @ scales.diag()
    exact = MultivariateNormal(torch.zeros(12).double(), factor @ factor.mT)
    q = standard_normal(EVENT, dtype=torch.float64).expand((1,))
    last = best_dense(q, lambda codes: exact.log_prob(codes.flatten(-3)), block=12, steps=400, draws=8, seed=0).q
    assert isinstance(last, DenseNormal)
    fitted = MultivariateNormal(last.mean.flatten(1), scale_tril=last.blocks[0])
    assert kl_divergence(fitted, exact).item() < 0.5


def test_blocks_hold_the_maps_of_neighbouring_sites() -> None:
    q = standard_normal(EVENT, dtype=torch.float64).expand((1,))
    runs = fitted(q, 4, steps=0)
    assert isinstance(runs, DenseNormal)
    assert runs.order.tolist() == [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]


def test_a_block_is_what_an_image_has_room_for() -> None:
    assert [largest_block(n, 100) for n in (3, 10, 11, 50, 1000)] == [3, 10, 9, 2, 1]
