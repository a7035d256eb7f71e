"""Signal directions against scipy's generalised eigenvalues, and networks that work on them alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor
from torch.testing import assert_close

from spatialvae.errors import UserError
from spatialvae.priors import (
    AbstractTrainedFamily,
    AbstractTrainedPrior,
    FlowFamily,
    FlowMatchingFamily,
    GaussianFamily,
    GaussianPrior,
    signal_directions,
)
from tests.priors.gaussians import gaussian
from tests.priors.toy import ToyCodes
from tests.priors.trained import correlated, stirred

EVENT = (3, 2, 2)
FAMILIES = [FlowFamily(couplings=2, width=16), FlowMatchingFamily(width=16, blocks=1, steps=10)]


class PlantedCodes(ToyCodes):
    """z = A s + e: means of 3 hidden numbers an image, and noise e of a covariance of its own."""

    def __init__(self, count: int = 4000) -> None:
        generator = torch.Generator().manual_seed(0)
        self.mixing = torch.randn(3, 12, generator=generator, dtype=torch.float64)
        self.noise = correlated(EVENT)
        hidden = torch.rand(count, 3, generator=generator, dtype=torch.float64) - 0.5
        super().__init__((hidden @ self.mixing).reshape(-1, *EVENT))

    def batch(self, indices: np.ndarray) -> tuple[Tensor, Tensor | None]:
        codes, labels = super().batch(indices)
        return codes + self.noise().sample([len(codes)]) - self.noise.loc, labels


class EmptyCodes(PlantedCodes):
    """Codes that say nothing of their images, as of a collapsed posterior."""

    def means(self) -> Iterator[Tensor]:
        return (torch.zeros_like(part) for part in super().means())


def fitted(codes: ToyCodes) -> GaussianPrior:
    torch.manual_seed(0)
    prior, _ = GaussianFamily().fit(codes)
    loc, factor = prior.normal.loc.double(), prior.normal.factors[0].double()
    return GaussianPrior(prior.family, type(prior.normal)(loc, (factor,)))


def test_they_are_the_generalised_eigenvectors() -> None:
    codes = PlantedCodes()
    distribution = fitted(codes)
    basis = signal_directions(codes, distribution)
    assert basis.shape == (12, 3)
    assert_close(basis.mT @ basis, torch.eye(3, dtype=torch.float64))
    between = codes.codes.flatten(1).numpy()
    total = distribution.normal.factors[0] @ distribution.normal.factors[0].mT
    shares, vectors = scipy.linalg.eigh(np.cov(between.T, bias=True), total.numpy())
    # The function of a code that a direction b reads is b^T R^-1 (z - loc): a generalised eigenvector, up to its sign.
    read = (
        distribution.whiten(torch.eye(12, dtype=torch.float64).reshape(12, *EVENT) + distribution.loc).flatten(1)
        @ basis
    )
    wanted = torch.from_numpy(vectors[:, ::-1][:, :3].copy())
    assert (shares[:-3] < 0.01).all()
    assert (shares[-3:] > 0.05).all()
    assert_close(read.abs(), wanted.abs(), rtol=1e-4, atol=1e-6)


def test_codes_without_signal_keep_two() -> None:
    codes = EmptyCodes()
    assert signal_directions(codes, fitted(codes)).shape == (12, 2)


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def prior(request: pytest.FixtureRequest) -> AbstractTrainedPrior:
    """A prior on 4 directions of 12, before training."""
    torch.manual_seed(1)
    signal = torch.linalg.qr(torch.randn(12, 4, dtype=torch.float64))[0]
    return request.param.start(correlated(EVENT), 3, signal=signal)


def test_it_begins_as_the_gaussian(prior: AbstractTrainedPrior) -> None:
    codes = prior.gaussian().sample([20])
    assert_close(prior().log_prob(codes), prior.gaussian().log_prob(codes))


def test_other_directions_stay_noise(prior: AbstractTrainedPrior) -> None:
    torch.manual_seed(0)
    before = prior.gaussian.whiten(prior().sample([50])).flatten(1)
    torch.manual_seed(0)
    after = prior.gaussian.whiten(stirred(prior, 0.3)().sample([50])).flatten(1)
    basis = prior.network.basis
    assert isinstance(basis, Tensor)
    moved = after - before
    assert moved.abs().max() > 0.05
    assert_close(moved @ basis @ basis.mT, moved)


def test_the_density_is_the_signals_times_the_noises(prior: AbstractTrainedPrior) -> None:
    # The same network as a prior of its own, over codes of 4 numbers; its density has tests of its own.
    stirred(prior, 0.3)
    own = gaussian(torch.zeros(4, 1, 1, dtype=torch.float64), torch.eye(4, dtype=torch.float64))
    inner = prior.family.start(own, 3)
    inner.network = prior.network.inner  # pyright: ignore[reportAttributeAccessIssue]
    codes = prior.gaussian().sample([20])
    basis = prior.network.basis
    assert isinstance(basis, Tensor)
    seen = prior.gaussian.whiten(codes).flatten(1) @ basis
    rest = prior.gaussian.whiten(codes).flatten(1).square().sum(1) - seen.square().sum(1)
    noise = -0.5 * rest - 4 * math.log(2 * math.pi)  # 8 directions
    wanted = inner().log_prob(seen[..., None, None]) + noise - prior.gaussian.log_volume
    assert_close(prior().log_prob(codes), wanted)
    assert (prior().log_prob(codes) - prior.gaussian().log_prob(codes)).abs().max() > 0.1


def test_it_comes_back_from_its_tensors(prior: AbstractTrainedPrior) -> None:
    stirred(prior, 0.3)
    again = prior.family.restore(EVENT, {name: tensor.clone() for name, tensor in prior.state_dict().items()})
    codes = prior.gaussian().sample([20])
    assert again.classes == prior.classes
    assert_close(again().log_prob(codes), prior().log_prob(codes))


def test_a_basis_of_another_code_is_refused(prior: AbstractTrainedPrior) -> None:
    tensors = {**prior.state_dict(), "network.basis": torch.zeros(11, 4, dtype=torch.float64)}
    with pytest.raises(UserError, match=r"network\.basis came as \[11, 4\], wanted is \[12, 4\]"):
        prior.family.restore(EVENT, tensors)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_another_number_of_directions_is_another_training(family: AbstractTrainedFamily) -> None:
    identity = torch.eye(12, dtype=torch.float64)
    prints = {family.start(correlated(EVENT), 0, signal=identity[:, :k]).fingerprint for k in (3, 4)}
    assert len(prints) == 2
