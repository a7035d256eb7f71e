"""Flows: the Gaussian at the start, inverse and density against autograd and the integral, and what training gains."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.testing import assert_close

from spatialvae.errors import UserError
from spatialvae.priors import AbstractTrainedPrior, FlowFamily, parse_family
from spatialvae.priors.flow.coupling import FlatFlow, MapFlow
from tests.priors.trained import correlated, stirred

FAMILY = FlowFamily(couplings=4, width=32)
# Flattened codes; convolutions over maps, and over a single one like a chessboard.
CASES = [((2, 1, 3), FlatFlow), ((3, 2, 2), FlatFlow), ((2, 3, 6), MapFlow), ((1, 5, 4), MapFlow)]


@pytest.fixture(params=CASES, ids=str)
def prior(request: pytest.FixtureRequest) -> AbstractTrainedPrior:
    """The flow before training, over correlated codes of each form."""
    event, kind = request.param
    result = FAMILY.start(correlated(event), 0)
    assert isinstance(result.network, kind)
    return result


def test_it_begins_as_the_gaussian(prior: AbstractTrainedPrior) -> None:
    codes = prior.gaussian().sample([50])
    assert_close(prior().log_prob(codes), prior.gaussian().log_prob(codes))
    torch.manual_seed(0)
    drawn = prior().sample([20_000])
    assert_close(drawn.mean(0), prior().mean, rtol=0, atol=0.06)
    flat, wanted = drawn.flatten(1), prior.gaussian.normal.factors[0]
    assert_close(flat.mT.cov(), wanted @ wanted.mT, rtol=0, atol=0.12)


def test_it_is_inverted_exactly(prior: AbstractTrainedPrior) -> None:
    network = stirred(prior).network
    noise = torch.randn(30, *prior.event_shape, dtype=torch.float64)
    codes = network.inverse(noise)  # pyright: ignore[reportCallIssue]
    assert (codes - noise).abs().max() > 0.1
    assert_close(network(codes)[0], noise, rtol=0, atol=1e-7)


def test_its_density_is_that_of_autograds_jacobian(prior: AbstractTrainedPrior) -> None:
    stirred(prior)
    code = prior.gaussian().sample()

    def noise(flat: torch.Tensor) -> torch.Tensor:
        codes = flat.reshape(1, *prior.event_shape)
        return prior.network(prior.gaussian.whiten(codes))[0].flatten()

    jacobian = torch.autograd.functional.jacobian(noise, code.flatten())
    assert isinstance(jacobian, torch.Tensor)
    normal = torch.distributions.Normal(0, 1).log_prob(noise(code.flatten())).sum()
    assert_close(prior().log_prob(code), normal + torch.linalg.slogdet(jacobian).logabsdet)
    assert_close(prior.loss(code[None], None), -prior().log_prob(code[None]))


def test_mixed_precision_rounds_what_networks_multiply_and_no_density() -> None:
    network = stirred(FAMILY.start(correlated((3, 2, 2)), 0)).network.float()
    assert isinstance(network, FlatFlow)
    codes = torch.randn(30, 3, 2, 2)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        noise, log_det = network(codes)
        again = network.inverse(noise)
    assert noise.dtype == log_det.dtype == torch.float32
    assert_close(again, codes, rtol=0, atol=1e-4)
    with torch.no_grad():
        assert not torch.equal(noise, network(codes)[0])  # the networks did multiply in bf16

    coupling: Any = network.couplings[0]
    kept, flat = coupling.mask.bool(), codes.flatten(1)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        here, volume = coupling().call_and_ladj(flat)
        there, _ = coupling().call_and_ladj(torch.where(kept, flat, flat + 1))
    slopes = (there - here)[:, ~kept]  # affine in what is not kept
    assert volume.abs().max() > 0.1
    assert_close(volume, slopes.log().sum(1), rtol=0, atol=1e-4)


def test_its_density_integrates_to_one() -> None:
    prior = stirred(FAMILY.start(correlated((1, 1, 2)), 0))
    side = torch.linspace(-9, 9, 400, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side).reshape(-1, 1, 1, 2)
    with torch.no_grad():
        whole = prior().log_prob(grid).exp().sum() * (side[1] - side[0]) ** 2
    assert whole.item() == pytest.approx(1, abs=2e-3)


def test_draws_have_its_density(prior: AbstractTrainedPrior) -> None:
    # E[p0 / p] over draws of p is 1 for any other density p0: here the Gaussian, made narrower.
    stirred(prior, 0.05)
    torch.manual_seed(1)
    with torch.no_grad():
        drawn = prior().sample([20_000])
        ratio = (prior.gaussian(temperature=0.8).log_prob(drawn) - prior().log_prob(drawn)).exp()
    assert ratio.mean().item() == pytest.approx(1, abs=0.1)


def test_a_temperature_scales_the_noise(prior: AbstractTrainedPrior) -> None:
    codes = prior.gaussian().sample([5])
    assert_close(prior(temperature=0.7).log_prob(codes), prior.gaussian(temperature=0.7).log_prob(codes))
    torch.manual_seed(0)
    warm = prior().sample([4])
    torch.manual_seed(0)
    assert_close(prior(temperature=0.5).sample([4]) - prior().mean, 0.5 * (warm - prior().mean))


def test_training_finds_two_modes() -> None:
    torch.manual_seed(0)
    codes = torch.randn(2000, 1, 1, 2) * 0.3 + torch.where(torch.rand(2000, 1, 1, 1) < 0.5, 2.0, -2.0)
    spread = codes.flatten(1).mT.cov()
    distribution = correlated((1, 1, 2)).normal.map(torch.Tensor.float)
    start = type(correlated((1, 1, 2)))(
        correlated((1, 1, 2)).family, type(distribution)(codes.mean(0), (torch.linalg.cholesky(spread),))
    )
    prior = FAMILY.start(start, 0)
    optimizer = torch.optim.Adam(prior.network.parameters(), 1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        prior.loss(codes[torch.randint(2000, (250,))], None).mean().backward()
        optimizer.step()
    with torch.no_grad():
        gained = (prior().log_prob(codes) - prior.gaussian().log_prob(codes)).mean()
        ends = prior().sample([1000]).sum((1, 2, 3)).abs()
    assert gained > 0.3
    assert (ends > 2).float().mean() > 0.85


def test_a_file_brings_it_back(prior: AbstractTrainedPrior) -> None:
    stirred(prior)
    tensors = {name: tensor.clone() for name, tensor in prior.state_dict().items()}
    assert isinstance(prior.family, FlowFamily)
    maps, height, width = prior.event_shape
    again = parse_family(prior.family.spelled).restore((maps, height, width), tensors)
    codes = prior.gaussian().sample([5])
    assert_close(again().log_prob(codes), prior().log_prob(codes))
    last = list(tensors)[-1]
    wrong = {**tensors, last: tensors[last][None]}
    with pytest.raises(UserError, match=f"no flow prior of this model: {last} came as"):
        prior.family.restore((maps, height, width), wrong)
    del tensors["gaussian.loc"]
    with pytest.raises(UserError, match=r"gaussian\.loc came as nothing"):
        prior.family.restore((maps, height, width), tensors)


def test_it_knows_no_labels_and_no_cells(prior: AbstractTrainedPrior) -> None:
    with pytest.raises(UserError, match="flow:couplings=4,width=32 knows no labels"):
        prior(0)
    with pytest.raises(UserError, match="cannot be conditioned on cells"):
        prior().given_cells(prior().mean, torch.ones(1, 1, dtype=torch.bool))


@pytest.mark.parametrize("wrong", ["flow:couplings=1", "flow:width=4", "flow:depth=3", "flow:width=wide"])
def test_impossible_options(wrong: str) -> None:
    with pytest.raises(UserError, match="flow"):
        parse_family(wrong)


def test_one_number_cannot_be_coupled() -> None:
    with pytest.raises(UserError, match="at least two numbers"):
        FAMILY.start(correlated((1, 1, 1)), 0)
