"""Normal distributions over codes: densities, draws and conditional distributions against dense matrices."""

from __future__ import annotations

from functools import reduce

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.testing import assert_close

from spatialvae.priors.mixture.conditional import GivenCells
from spatialvae.priors.normal import CodeNormal, axes_of
from tests.priors.gaussians import gaussian

EVENT = (2, 2, 3)
AXES = [(12,), (2, 6), (2, 2, 3)]


def made_up(axes: tuple[int, ...], several: tuple[int, ...] = ()) -> CodeNormal:
    factors = [torch.randn(*several, d, d, dtype=torch.float64).tril(-1) for d in axes]
    factors = [f + torch.diag_embed(torch.rand(*several, f.shape[-1], dtype=torch.float64) + 0.3) for f in factors]
    return CodeNormal(torch.randn(*several, *EVENT, dtype=torch.float64), tuple(factors))


def dense(distribution: CodeNormal) -> Tensor:
    return reduce(torch.kron, [factor @ factor.mT for factor in distribution.factors])


def oracle(mean: Tensor, covariance: Tensor, values: Tensor) -> Tensor:
    result = stats.multivariate_normal.logpdf(values.numpy(), mean.numpy(), covariance.numpy())  # pyright: ignore
    return torch.as_tensor(result)


def test_which_axes() -> None:
    assert axes_of((128, 3, 3)) == (1152,)
    assert axes_of((64, 16, 16)) == (64, 256)
    assert axes_of((4, 64, 32)) == (4, 64, 32)


@pytest.mark.parametrize("axes", AXES)
def test_density_and_draws(axes: tuple[int, ...]) -> None:
    distribution = made_up(axes)
    codes = torch.randn(5, *EVENT, dtype=torch.float64)
    assert_close(
        distribution.log_prob(codes), oracle(distribution.loc.flatten(), dense(distribution), codes.flatten(1))
    )
    assert_close(distribution.variance().flatten(), dense(distribution).diagonal())
    many = distribution.sample(40_000).flatten(1)
    spread = dense(distribution).diagonal().sqrt()
    assert ((many.mT.cov() - dense(distribution)) / torch.outer(spread, spread)).abs().max() < 0.05
    assert_close(distribution.scaled(2.0).variance(), 4 * distribution.variance())


@pytest.mark.parametrize("axes", AXES)
def test_several_at_once_are_each_by_itself(axes: tuple[int, ...]) -> None:
    distribution = made_up(axes, (3,))
    codes = torch.randn(5, *EVENT, dtype=torch.float64)
    assert_close(distribution.log_prob(codes), torch.stack([distribution.one(k).log_prob(codes) for k in range(3)], -1))


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("several", [(), (3,)])
def test_given_cells_is_dense_conditioning(axes: tuple[int, ...], several: tuple[int, ...]) -> None:
    distribution, code = made_up(axes, several), torch.randn(EVENT, dtype=torch.float64)
    known = torch.tensor([[True, False, True], [False, True, True]])
    conditional, evidence = distribution.given(code, known)
    inside = known.flatten().repeat(EVENT[0])
    for k in range(several[0] if several else 1):
        one, own = (distribution.one(k), conditional.one(k)) if several else (distribution, conditional)
        covariance, mean, value = dense(one), one.loc.flatten(), code.flatten()
        gain = covariance[~inside][:, inside] @ torch.linalg.inv(covariance[inside][:, inside])
        wanted = mean[~inside] + gain @ (value - mean)[inside]
        spread = covariance[~inside][:, ~inside] - gain @ covariance[inside][:, ~inside]
        assert own.event_shape == (2, 2, 1)
        assert_close(own.loc.flatten(), wanted)
        assert_close(dense(own), spread, rtol=1e-4, atol=1e-5)
        log_evidence = evidence[k] if several else evidence
        assert_close(log_evidence, oracle(mean[inside], covariance[inside][:, inside], value[inside]))


@pytest.mark.parametrize("axes", AXES)
def test_whitening(axes: tuple[int, ...]) -> None:
    distribution = made_up(axes)
    prior = gaussian(distribution.loc, *distribution.factors)
    codes = torch.randn(4, *EVENT, dtype=torch.float64)
    assert_close(prior.colour(prior.whiten(codes)), codes)
    jacobian = torch.autograd.functional.jacobian(lambda z: prior.colour(z).flatten(), codes[0])
    matrix = torch.as_tensor(jacobian).reshape(12, 12)
    assert_close(matrix @ matrix.mT, dense(distribution))
    assert_close(matrix, matrix.mT)  # symmetric: numbers keep their places
    assert_close(prior.log_volume, torch.linalg.slogdet(matrix).logabsdet)


def test_codes_with_known_cells_keep_them() -> None:
    prior, code = gaussian(torch.zeros(EVENT)), torch.arange(12.0).reshape(EVENT)
    known = torch.tensor([[True, False, True], [False, True, True]])
    distribution = prior().given_cells(code, known)
    assert isinstance(distribution, GivenCells)
    drawn = distribution.sample([6])
    assert drawn.shape == (6, *EVENT)
    assert torch.equal(drawn[..., known], code[..., known].expand(6, -1, -1))
    assert drawn[..., ~known].std() > 0.5
    assert_close(
        distribution.log_prob(drawn),
        prior().log_prob(drawn) - prior().log_prob(code * known) + 4 * stats.norm.logpdf(0),
    )


@pytest.mark.parametrize("axes", AXES)
def test_given_nothing_is_the_distribution_itself(axes: tuple[int, ...]) -> None:
    distribution, code = made_up(axes, (2,)), torch.zeros(EVENT, dtype=torch.float64)
    conditional, evidence = distribution.given(code, torch.zeros(2, 3, dtype=torch.bool))
    codes = torch.randn(4, *EVENT, dtype=torch.float64)
    assert_close(conditional.log_prob(codes.flatten(-2).unsqueeze(-1)), distribution.log_prob(codes))
    assert torch.equal(evidence, torch.zeros(2, dtype=torch.float64))
