"""The Gaussian fitted to the aggregate posterior: moments, few images, degenerate and large codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from spatialvae.priors import GaussianFamily, GaussianPrior, normal
from spatialvae.priors.normal import CodeNormal
from tests.priors.gaussians import gaussian
from tests.priors.toy import ToyCodes

EVENT = (2, 1, 3)
NUMBERS = 6


def covariance(prior: GaussianPrior) -> torch.Tensor:
    factor = prior.normal.factors[0]
    return factor @ factor.mT


def test_it_recovers_the_moments_of_known_codes() -> None:
    torch.manual_seed(0)
    factor = torch.randn(NUMBERS, NUMBERS).tril() + torch.eye(NUMBERS)
    count, shift = 40_000, torch.randn(NUMBERS)
    codes = (shift + torch.randn(count, NUMBERS) @ factor.mT).view(count, *EVENT)
    prior, notes = GaussianFamily().fit(ToyCodes(codes))
    wanted = factor @ factor.mT
    spread = wanted.diagonal().sqrt()
    assert notes == []
    assert (prior().mean.shape, prior().mean.dtype) == (EVENT, torch.float32)
    assert ((covariance(prior) - wanted) / torch.outer(spread, spread)).abs().max() < 6 / count**0.5
    assert ((prior().mean.flatten() - shift).abs() / spread).max() < 6 / count**0.5


def test_large_codes_get_kronecker_covariances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normal, "LARGEST_FULL", NUMBERS - 1)
    monkeypatch.setattr(normal.axes_of, "__defaults__", (NUMBERS - 1,))
    torch.manual_seed(0)
    event = (3, 2, 2)
    factors = [torch.tensor([[1.0, 0, 0], [0.8, 0.5, 0], [0, -0.4, 2.0]]), torch.randn(4, 4).tril() + 2 * torch.eye(4)]
    codes = CodeNormal(torch.ones(event), tuple(factors)).sample(8000)
    prior, _ = GaussianFamily().fit(ToyCodes(codes))
    result, wanted = (torch.kron(*[f @ f.mT for f in distribution]) for distribution in (prior.normal.factors, factors))
    spread = wanted.diagonal().sqrt()
    assert [len(factor) for factor in prior.normal.factors] == [3, 4]
    assert ((result - wanted) / torch.outer(spread, spread)).abs().max() < 0.06
    assert_close(prior().mean, torch.ones(event), rtol=0, atol=0.15)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_degenerate_covariance_is_said_and_mended(count: int) -> None:
    codes = ToyCodes(torch.randn(count, *EVENT))
    prior, notes = GaussianFamily().fit(codes)
    assert "degenerate" in notes[0]
    assert "0.0001 of the mean variance was added" in notes[0]
    assert torch.isfinite(prior().sample(torch.Size([8]))).all()


def test_tempered_draws_and_the_mean() -> None:
    prior = gaussian(torch.randn(EVENT), 2 * torch.eye(NUMBERS))
    assert_close(prior(temperature=0.0).sample([3]), prior().mean.expand(3, *EVENT))
    assert_close(prior(temperature=0.5).variance, 0.25 * prior().variance)
    assert prior().sample().shape == EVENT
    assert prior().sample([3, 4]).shape == (3, 4, *EVENT)
    torch.manual_seed(1)
    first = prior().sample([4])
    torch.manual_seed(1)
    assert torch.equal(first, prior().sample([4]))


def test_what_is_stored_comes_back() -> None:
    prior = gaussian(torch.randn(EVENT), torch.eye(NUMBERS) + torch.rand(NUMBERS, NUMBERS).tril(-1))
    result = GaussianFamily().restore(EVENT, prior.state_dict())
    codes = torch.randn(5, *EVENT)
    assert torch.equal(result().log_prob(codes), prior().log_prob(codes))


def test_noise_is_not_tied_to_signal_by_chance() -> None:
    # In draws, the products of means of size 30 with noise of size 1 come out near 30 / sqrt(count), the noise's own
    # near 1 / sqrt(count).
    count = 500
    torch.manual_seed(0)
    means = torch.zeros(count, *EVENT)
    means[:, 0, 0, 0] = 30 * torch.randn(count)

    class Noisy(ToyCodes):
        def batch(self, indices: np.ndarray) -> tuple[torch.Tensor, torch.Tensor | None]:
            codes, labels = super().batch(indices)
            return codes + torch.randn(codes.shape), labels

    codes = Noisy(means)
    prior, _ = GaussianFamily().fit(codes)
    total = covariance(prior)
    assert total[0, 1:].abs().max() < 5 / len(codes) ** 0.5
    own = codes.codes.flatten(1)[:, 0].var(correction=0) + 1
    assert_close(total[0, 0], own, rtol=0.01, atol=0)


def test_sampling_leaves_a_prior_that_gradients_can_pass_through() -> None:
    shape = (2, 2, 2)
    normal = CodeNormal(torch.zeros(1, *shape), (2 * torch.eye(8)[None],))
    prior = GaussianPrior(GaussianFamily(), normal.one(0))
    with torch.inference_mode():
        prior.whiten(torch.ones(1, *shape))
    codes = torch.ones(1, *shape, requires_grad=True)
    prior.whiten(codes).sum().backward()
    assert codes.grad is not None
