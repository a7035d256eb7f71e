"""Filling in cells with a flow-matching prior: exact for a Gaussian, and on the right side of two modes."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from spatialvae.priors import FlowMatchingFamily, FlowMatchingPrior
from spatialvae.priors.flow_matching.cells import Pull, PulledCells
from tests.priors.gaussians import gaussian
from tests.priors.trained import correlated, stirred

FAMILY = FlowMatchingFamily(width=32, blocks=2, steps=12)
KNOWN = torch.tensor([[True, False, False], [False, True, False]])


@pytest.mark.parametrize("axes", [(12,), (2, 6), (2, 2, 3)])
def test_a_gaussian_is_filled_in_exactly(axes: tuple[int, ...]) -> None:
    # With the network at zero a draw is an affine map of its noise: its mean and covariance are read off.
    prior = FAMILY.start(correlated((2, 2, 3), axes), 0)
    code = prior.gaussian().sample()
    distribution = prior().given_cells(code, KNOWN)
    assert isinstance(distribution, PulledCells)
    noise = torch.cat([torch.zeros(1, 12), torch.eye(12)]).double().reshape(13, 2, 2, 3)
    ends = distribution.drawn_from(noise).flatten(1)
    effect = ends[1:] - ends[0]
    covariance = torch.eye(1, dtype=torch.float64)
    for factor in prior.gaussian.normal.factors:
        covariance = torch.kron(covariance, factor @ factor.mT)
    inside = KNOWN.flatten().repeat(2)
    gain = covariance[~inside][:, inside] @ covariance[inside][:, inside].inverse()
    loc, value = prior().mean.flatten(), code.flatten()
    assert_close(ends[0, ~inside], loc[~inside] + gain @ (value - loc)[inside])
    left = covariance[~inside][:, ~inside] - gain @ covariance[inside][:, ~inside]
    assert_close((effect.mT @ effect)[~inside][:, ~inside], left)
    assert_close(distribution.mean, prior.gaussian().given_cells(code, KNOWN).mean)


def test_known_cells_stay_to_the_last_bit() -> None:
    prior = stirred(FAMILY.start(correlated((2, 2, 3)), 3))
    assert isinstance(prior, FlowMatchingPrior)
    code = prior.gaussian().sample()
    with torch.inference_mode():
        drawn = prior(1).given_cells(code, KNOWN).sample([2, 3])
    assert drawn.shape == (2, 3, 2, 2, 3)
    assert torch.equal(drawn[..., KNOWN], code[..., KNOWN].expand(2, 3, 2, 2))
    assert torch.isfinite(drawn).all()
    assert (drawn[0, 0] - drawn[0, 1])[..., ~KNOWN].abs().min() > 0


def test_the_pull_puts_known_numbers_right_and_changes_no_more_than_it_must() -> None:
    distribution = correlated((2, 2, 3), (2, 6))
    code, white = distribution().sample(), torch.randn(5, 2, 2, 3, dtype=torch.float64)
    pull = Pull(distribution, code, KNOWN)
    moved = pull(white)
    assert_close(distribution.colour(white + moved)[..., KNOWN], code[..., KNOWN].expand(5, 2, 2))
    assert_close(pull(white + moved), torch.zeros_like(white), rtol=0, atol=1e-9)
    # The least change is orthogonal to every change that leaves the known numbers alone.
    free = pull(torch.zeros_like(white)) - pull(white) - white
    assert_close((moved * free).flatten(1).sum(1), torch.zeros(5, dtype=torch.float64), rtol=0, atol=1e-9)


@pytest.mark.parametrize("value", [False, True])
def test_all_or_nothing_known(value: bool) -> None:
    prior = FAMILY.start(correlated((2, 2, 3)), 0)
    code = prior.gaussian().sample()
    torch.manual_seed(0)
    drawn = prior().given_cells(code, torch.full((2, 3), value)).sample()
    torch.manual_seed(0)
    assert_close(drawn, code if value else prior().sample())


def test_two_modes_are_told_apart_by_the_known_cell() -> None:
    # Codes near (2, 2) or (-2, -2), which a Gaussian would only tie: given one cell the other has its sign.
    torch.manual_seed(0)
    codes = torch.randn(2000, 1, 1, 2) * 0.3 + torch.where(torch.rand(2000, 1, 1, 1) < 0.5, 2.0, -2.0)
    spread = codes.flatten(1).mT.cov()
    prior = FlowMatchingFamily(width=64, blocks=2, steps=30).start(
        gaussian(codes.mean(0), torch.linalg.cholesky(spread)), 0
    )
    optimizer = torch.optim.Adam(prior.network.parameters(), 3e-3)
    for _ in range(500):
        optimizer.zero_grad()
        prior.loss(codes[torch.randint(2000, (250,))], None).mean().backward()
        optimizer.step()
    drawn = prior().given_cells(torch.tensor([[[1.7, 0.0]]]), torch.tensor([[True, False]])).sample([300])[..., 1]
    assert drawn.median().item() == pytest.approx(2, abs=0.5)
    assert (drawn > 0.8).float().mean() > 0.95
