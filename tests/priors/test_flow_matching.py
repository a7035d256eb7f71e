"""Flow matching: the Gaussian at the start for any number of steps, the density along its equation, labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from torch import Tensor
from torch.testing import assert_close

from spatialvae.errors import UserError
from spatialvae.priors import FlowMatchingFamily, FlowMatchingPrior, GaussianPrior, parse_family
from spatialvae.priors.flow_matching.ode import heun, scale
from spatialvae.priors.normal import CodeNormal
from tests.priors.gaussians import gaussian
from tests.priors.trained import correlated, stirred

FAMILY = FlowMatchingFamily(width=32, blocks=2, steps=20)
EVENTS = [(2, 2, 2), (2, 3, 6)]  # linear layers; a U-Net


def two_modes(count: int = 2000) -> tuple[Tensor, Tensor]:
    """Codes around (2, 2) with label 1 and around (-2, -2) with label 0."""
    labels = torch.randint(0, 2, (count,))
    return torch.randn(count, 1, 1, 2) * 0.3 + 4 * labels[:, None, None, None] - 2, labels


def fitted(codes: Tensor) -> GaussianPrior:
    return gaussian(codes.mean(0), torch.linalg.cholesky(codes.flatten(1).mT.cov()))


@pytest.fixture(scope="module")
def trained() -> FlowMatchingPrior:
    torch.manual_seed(0)
    codes, labels = two_modes()
    prior = FlowMatchingFamily(width=64, blocks=2, steps=20).start(fitted(codes), 2)
    optimizer = torch.optim.Adam(prior.network.parameters(), 3e-3)
    for _ in range(500):
        optimizer.zero_grad()
        which = torch.randint(2000, (250,))
        prior.loss(codes[which], labels[which]).mean().backward()
        optimizer.step()
    return prior


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("steps", [1, 7])
def test_it_begins_as_the_gaussian(event: tuple[int, int, int], steps: int) -> None:
    prior = replace(FAMILY, width=8, blocks=1, steps=steps).start(correlated(event), 0)
    codes = prior.gaussian().sample([6])
    assert_close(prior().log_prob(codes), prior.gaussian().log_prob(codes))
    assert_close(prior(temperature=0.7).log_prob(codes), prior.gaussian(temperature=0.7).log_prob(codes))
    torch.manual_seed(0)
    noise = torch.randn(4, *event, dtype=torch.float64)
    torch.manual_seed(0)
    assert_close(prior(temperature=0.7).sample([2, 2]), prior.gaussian.colour(0.7 * noise).reshape(2, 2, *event))


def test_the_velocity_of_a_standard_normal_is_the_regression_on_its_lines() -> None:
    # E[y - e | x_t] by least squares over draws, against the velocity that the network's part is added to.
    torch.manual_seed(0)
    data, noise = torch.randn(2, 200_000, dtype=torch.float64)
    for t in (0.1, 0.5, 0.8):
        x = (1 - t) * noise + t * data
        assert (x @ (data - noise) / (x @ x)).item() == pytest.approx((2 * t - 1) / scale(t) ** 2, abs=0.01)


def test_its_density_is_that_of_its_map() -> None:
    # The change of volume along the equation against autograd's Jacobian of the whole solution.
    prior = stirred(replace(FAMILY, steps=100).start(correlated((1, 2, 2)), 0))
    codes, noise = prior(), torch.randn(4, dtype=torch.float64)

    def code(flat: Tensor) -> Tensor:
        white = heun(codes._field(None), flat.reshape(1, 1, 2, 2), codes._times)
        return prior.gaussian.colour(white).flatten()

    jacobian = torch.autograd.functional.jacobian(code, noise)
    assert isinstance(jacobian, Tensor)
    wanted = torch.distributions.Normal(0, 1).log_prob(noise).sum() - torch.linalg.slogdet(jacobian).logabsdet
    with torch.inference_mode():
        density = prior().log_prob(code(noise).reshape(1, 2, 2))
    assert_close(density, wanted, rtol=0, atol=1e-3)
    assert (density - prior.gaussian().log_prob(code(noise).reshape(1, 2, 2))).abs() > 0.01


@pytest.fixture
def estimated(monkeypatch: pytest.MonkeyPatch) -> FlowMatchingPrior:
    """A prior whose divergence is estimated, by few signs, though its codes are small."""
    monkeypatch.setattr("spatialvae.priors.flow_matching.flow_matching.LARGEST_EXACT", 4)
    monkeypatch.setattr("spatialvae.priors.flow_matching.flow_matching.PROBES", 2)
    return stirred(replace(FAMILY, steps=4).start(correlated((2, 2, 2)), 0), 0.2)


def exactly(prior: FlowMatchingPrior, codes: Tensor) -> Tensor:
    """The density by the exact trace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spatialvae.priors.flow_matching.flow_matching.LARGEST_EXACT", 64)
        return prior().log_prob(codes)


def test_the_estimated_density_is_a_function_of_torchs_seed(estimated: FlowMatchingPrior) -> None:
    codes = estimated.gaussian().sample([5])
    results = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        results.append(estimated().log_prob(codes))
    assert torch.equal(results[0], results[1])
    assert (results[0] != results[2]).all()


def test_each_code_has_an_error_of_its_own(estimated: FlowMatchingPrior) -> None:
    # The same code 100 times over: with common signs all estimates would be one number, and its error unseen.
    code = estimated.gaussian().sample([1])
    exact, trials = exactly(estimated, code), 40
    errors = torch.stack([estimated().log_prob(code.expand(100, 2, 2, 2)) - exact for _ in range(trials)])
    means, message = errors.mean(1), errors.std(1) / 100**0.5
    assert errors.std() > 0.05
    assert means.mean().abs() < 4 * errors.std() / (100 * trials) ** 0.5  # unbiased
    spread = (means / message).square().sum().item()  # chi-squared if the standard errors are right
    low, high = chi2.ppf([1e-4, 1 - 1e-4], trials)
    assert low < spread < high


def test_the_loss_at_the_start_is_known() -> None:
    # E[2 - (2t - 1)^2 / s^2] a number for Gaussian codes; the mean over logit-normal times by quadrature.
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    t = 1 / (1 + np.exp(-nodes))
    wanted = (weights * (2 - (2 * t - 1) ** 2 / (t**2 + (1 - t) ** 2))).sum() / weights.sum()
    torch.manual_seed(0)
    prior = FAMILY.start(correlated((2, 2, 2)), 0)
    loss = prior.loss(prior.gaussian().sample([20_000]), None)
    assert loss.shape == (20_000,)
    assert loss.mean().item() / 8 == pytest.approx(wanted, rel=0.02)


def test_training_finds_both_modes_and_their_labels(trained: FlowMatchingPrior) -> None:
    torch.manual_seed(1)
    ends = trained().sample([500]).sum((1, 2, 3))
    assert (ends.abs() > 2).float().mean() > 0.9
    assert 0.35 < (ends > 0).float().mean() < 0.65
    for label, sign in ((0, -1), (1, 1)):
        assert (sign * trained(label).sample([200]) > 0).float().mean() > 0.95


def test_training_raises_the_density(trained: FlowMatchingPrior) -> None:
    torch.manual_seed(2)
    codes, _ = two_modes(200)
    modes = torch.tensor([-2.0, 2.0])[:, None, None, None].expand(2, 1, 1, 2)
    normal = CodeNormal(modes, (0.3 * torch.eye(2).expand(2, 2, 2),))
    truth = (normal.log_prob(codes).logsumexp(-1) - torch.tensor(2.0).log()).mean()
    density, start = trained().log_prob(codes).mean(), trained.gaussian().log_prob(codes).mean()
    assert start < truth - 0.8
    assert truth - 0.4 < density < truth + 0.1


def test_more_steps_change_little(trained: FlowMatchingPrior) -> None:
    drawn = []
    for steps in (20, 80):
        torch.manual_seed(3)
        drawn.append(trained(steps=steps).sample([100]))
    assert (drawn[0] - drawn[1]).abs().median() < 0.05


def test_a_file_brings_it_back(trained: FlowMatchingPrior) -> None:
    again = parse_family(trained.family.spelled).restore((1, 1, 2), trained.state_dict())
    assert isinstance(again, FlowMatchingPrior)
    assert again.classes == 2
    torch.manual_seed(0)
    drawn = trained(1).sample([3])
    torch.manual_seed(0)
    assert torch.equal(again.to("cpu")(1).sample([3]), drawn)
    with pytest.raises(UserError, match=r"network\.known\.time\.0\.weight came as"):
        parse_family("flow-matching:width=32,blocks=2").restore((1, 1, 2), trained.state_dict())


def test_codes_without_a_label_speak_for_the_distribution_of_all() -> None:
    """As the tenth of the others' labels that are dropped does: with a tenth of the weight."""
    prior, (codes, labels) = FAMILY.start(correlated((1, 1, 2)), 2), two_modes(50)
    for seed, wanted in enumerate((torch.full((50,), -1), torch.where(labels > 0, -1, labels))):
        torch.manual_seed(seed)
        result = prior.loss(codes, wanted)
        torch.manual_seed(seed)
        whole = prior.loss(codes, None)
        assert_close(result[wanted < 0], 0.1 * whole[wanted < 0])
        assert torch.isfinite(result).all()


def test_labels_that_are_not_there(trained: FlowMatchingPrior) -> None:
    with pytest.raises(UserError, match="labels go from 0 to 1, nearest 1"):
        trained(2)
    with pytest.raises(UserError, match="knows no labels"):
        FAMILY.start(correlated((2, 2, 2)), 0)(0)


@pytest.mark.parametrize("wrong", ["flow-matching:width=20", "flow-matching:blocks=0", "flow-matching:steps=0"])
def test_impossible_options(wrong: str) -> None:
    with pytest.raises(UserError, match="flow-matching:"):
        parse_family(wrong)
