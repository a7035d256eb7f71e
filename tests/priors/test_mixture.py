"""The mixture: known components come back, densities and conditionals against scipy, labels, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from scipy.special import logsumexp
from torch import Tensor
from torch.testing import assert_close

import spatialvae.priors.gaussian as gaussian_module
from spatialvae.errors import UserError
from spatialvae.priors import GaussianFamily, MixtureFamily, MixturePrior, parse_family
from spatialvae.priors.mixture.kronecker import Components, fit_components, held_out, standard_components
from spatialvae.priors.mixture.mixture_codes import MixtureCodes
from spatialvae.priors.normal import CodeNormal
from tests.priors.gaussians import gaussian
from tests.priors.toy import ToyCodes
from tests.priors.trained import correlated

EVENT = (2, 2, 2)


def blobs(count: int = 4000) -> tuple[Tensor, Tensor, Tensor]:
    """Codes of three well separated components, their labels and centres."""
    generator = torch.Generator().manual_seed(0)
    centres = 4 * torch.randn(3, *EVENT, generator=generator)
    labels = torch.randint(0, 3, (count,), generator=generator)
    return centres[labels] + 0.5 * torch.randn(count, *EVENT, generator=generator), labels, centres


@pytest.fixture(params=["full", "kronecker"])
def large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both forms of covariance on the same codes."""
    if request.param == "kronecker":
        monkeypatch.setattr(gaussian_module, "axes_of", lambda _: (2, 4))


@pytest.mark.usefixtures("large")
def test_it_finds_the_components_and_their_labels() -> None:
    torch.manual_seed(0)
    codes, labels, centres = blobs()
    prior, _ = MixtureFamily(3).fit(ToyCodes(codes, labels))
    distribution = prior().over_codes()
    match = torch.cdist(distribution.loc.flatten(1), centres.flatten(1)).argmin(1)
    assert sorted(match.tolist()) == [0, 1, 2]
    assert_close(distribution.loc, centres[match], rtol=0, atol=0.15)
    if prior.basis is not None:  # a Kronecker base spreads components along each other
        assert_close(distribution.variance(), torch.full((3, *EVENT), 0.25), rtol=0.2, atol=0)
    assert_close(prior.components.log_weights.exp(), torch.full((3,), 1 / 3), rtol=0.1, atol=0)
    assert prior.classes == 3
    for label in range(3):
        drawn = prior(label).sample([50]).flatten(1)
        assert (torch.cdist(drawn, centres.flatten(1)).argmin(1) == label).float().mean() > 0.9


@pytest.mark.usefixtures("large")
def test_more_components_fit_held_out_codes_better_than_one_gaussian() -> None:
    torch.manual_seed(0)
    codes = ToyCodes(blobs()[0])
    mixture, one = (MixtureFamily(k).fit(codes)[0]().log_prob(codes.held_out).mean() for k in (3, 1))
    assert mixture > one + 2


def test_every_pass_raises_the_likelihood() -> None:
    torch.manual_seed(0)
    codes = ToyCodes(blobs()[0])
    codes.held_out = codes.codes  # the likelihood of what is fitted, which expectation maximisation never lowers
    start = standard_components(codes.codes[:3], (2, 4))
    assert held_out(codes, fit_components(codes, start)) > held_out(codes, start)


def test_density_mean_and_variance() -> None:
    torch.manual_seed(0)
    loc = torch.randn(2, *EVENT, dtype=torch.float64)
    factors = torch.eye(8, dtype=torch.float64) + 0.5 * torch.rand(2, 8, 8, dtype=torch.float64).tril(-1)
    weights = torch.tensor([0.3, 0.7], dtype=torch.float64)
    prior = MixturePrior(MixtureFamily(2), Components(weights.log(), CodeNormal(loc, (factors,))))
    codes = torch.randn(5, *EVENT, dtype=torch.float64)
    each = torch.stack([gaussian(loc[k], factors[k])().log_prob(codes) for k in range(2)], -1)
    assert_close(prior().log_prob(codes), torch.from_numpy(logsumexp(each.numpy(), axis=-1, b=weights.numpy())))
    many = prior().sample([60_000])
    assert_close(many.mean(0), prior().mean, rtol=0, atol=0.05)
    assert_close(prior(temperature=0.0).sample([100]).flatten(1).unique(dim=0).shape[0], 2)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_along_directions_it_is_a_mixture_with_noise_beside(temperature: float) -> None:
    # Dense covariances over whole codes, made by hand and left to scipy.
    torch.manual_seed(0)
    base = correlated(EVENT)
    basis = torch.linalg.qr(torch.randn(8, 3, dtype=torch.float64))[0]
    loc = torch.randn(2, 3, 1, 1, dtype=torch.float64)
    factors = torch.eye(3, dtype=torch.float64) + 0.5 * torch.rand(2, 3, 3, dtype=torch.float64).tril(-1)
    weights = np.array([0.3, 0.7])
    parts = Components(torch.from_numpy(weights).log(), CodeNormal(loc, (factors,)))
    prior = MixturePrior(MixtureFamily(2), parts, base, basis)
    mixture = prior(temperature=temperature)
    assert isinstance(mixture, MixtureCodes)
    root = np.asarray(scipy.linalg.sqrtm((base.normal.factors[0] @ base.normal.factors[0].mT).numpy()))
    b, codes = basis.numpy(), torch.randn(5, *EVENT, dtype=torch.float64)
    each = []
    for m, factor in zip(loc.flatten(1).numpy(), factors.numpy(), strict=True):
        white = np.eye(8) - b @ b.T + b @ factor @ factor.T @ b.T
        mean = base.loc.flatten().numpy() + root @ b @ m
        distribution = scipy.stats.multivariate_normal(mean, temperature**2 * root @ white @ root)
        each.append(distribution.logpdf(codes.flatten(1).numpy()))
    assert_close(mixture.log_prob(codes), torch.from_numpy(logsumexp(np.stack(each, -1), axis=-1, b=weights)))
    dense = Components(parts.log_weights, mixture.over_codes())
    assert_close(dense.joint(codes).logsumexp(-1), mixture.log_prob(codes))
    drawn = mixture.sample([60_000])
    assert_close(drawn.mean(0), mixture.mean, rtol=0, atol=0.05)
    wanted = MixturePrior(prior.family, dense)().sample([60_000])
    assert_close(drawn.flatten(1).mT.cov(), wanted.flatten(1).mT.cov(), rtol=0, atol=0.15)
    again = MixtureFamily(2).restore(EVENT, prior.state_dict())
    assert_close(again(temperature=temperature).log_prob(codes), mixture.log_prob(codes))


def test_noise_is_no_reason_for_components() -> None:
    # Two classes apart along one direction of 60, each a Gaussian: what 450 codes a class say of the rest is chance.
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (1000,), generator=generator)
    means = torch.zeros(1000, 15, 2, 2)
    means[:, 0, 0, 0] = 12.0 * labels

    class Noisy(ToyCodes):
        def batch(self, indices: np.ndarray) -> tuple[Tensor, Tensor | None]:
            codes, own = super().batch(indices)
            return codes + torch.randn(codes.shape), own

    torch.manual_seed(0)
    codes = Noisy(means, labels)
    codes.held_out = codes.held_out + torch.randn(codes.held_out.shape)
    one, mixture = (family.fit(codes)[0] for family in (GaussianFamily(), MixtureFamily(2)))
    assert mixture.state_dict()["basis"].shape == (60, 2)
    assert mixture().log_prob(codes.held_out).mean() > one().log_prob(codes.held_out).mean() + 0.7


@pytest.mark.usefixtures("large")
def test_classes_that_overlap_keep_components_of_their_own() -> None:
    """Two classes differ along one direction, and all codes much more along another, which k-means would split."""
    torch.manual_seed(0)
    labels = torch.randint(0, 2, (4000,))
    codes = torch.randn(4000, *EVENT)
    codes[:, 0, 0, 0] *= 8
    codes[:, 1, 1, 1] += 2.0 * labels
    prior, _ = MixtureFamily(2).fit(ToyCodes(codes, labels))
    for label in range(2):
        drawn = prior(label).sample([2000])
        assert_close(drawn[:, 1, 1, 1].mean(), torch.tensor(2.0 * label), rtol=0, atol=0.15)
        if prior.basis is not None:  # no Kronecker product has one wide number alone
            assert_close(drawn[:, 0, 0, 0].std(), torch.tensor(8.0), rtol=0.1, atol=0)


@pytest.mark.usefixtures("large")
def test_labels_that_say_nothing_cost_nothing() -> None:
    """One Gaussian with random labels: class means that lie nowhere else must not widen or move a component."""
    torch.manual_seed(0)
    codes = ToyCodes(torch.randn(6000, *EVENT), torch.randint(0, 4, (6000,)))
    one, mixture = (family.fit(codes)[0] for family in (GaussianFamily(), MixtureFamily(4)))
    assert mixture().log_prob(codes.held_out).mean() > one().log_prob(codes.held_out).mean() - 0.05


@pytest.mark.usefixtures("large")
def test_codes_without_a_label_take_part_in_the_whole() -> None:
    """Most have no label, those of one blob never do, and class 1 is there in name only."""
    torch.manual_seed(0)
    codes, blob, centres = blobs()
    labels = torch.where(torch.rand(len(blob)) < 0.8, -1, 2 * blob)  # classes 0, 2 and 4
    labels[blob == 2] = -1
    labels[0] = 3  # a class of a single code
    toy = ToyCodes(codes, labels)
    prior, _ = MixtureFamily(9).fit(toy)
    assert prior.labels.counts is None  # names and counts are the stage's to give
    drawn = prior().sample([3000]).flatten(1)
    nearest = torch.cdist(drawn, centres.flatten(1)).argmin(1)
    assert_close(torch.bincount(nearest).double() / 3000, torch.full((3,), 1 / 3).double(), rtol=0, atol=0.05)
    for label in (0, 2):
        drawn = prior(label).sample([200]).flatten(1)
        assert (torch.cdist(drawn, centres.flatten(1)).argmin(1) == label // 2).float().mean() > 0.7
    prior.name_classes(toy.labels)
    with pytest.raises(UserError, match="label 1: the prior was fitted to no image of this class"):
        prior(1, 0.5)


def test_given_cells_reweights_and_conditions() -> None:
    torch.manual_seed(0)
    codes, _, centres = blobs()
    prior, _ = MixtureFamily(3).fit(ToyCodes(codes))
    known = torch.tensor([[True, False], [True, True]])
    drawn = prior().given_cells(centres[1], known).sample([200])
    assert torch.equal(drawn[..., known], centres[1][..., known].expand(200, -1, -1))
    assert_close(drawn.mean(0), centres[1], rtol=0, atol=0.2)  # the known cells say which component it is
    # Density of the rest given the known = joint over marginal.
    ratio = prior().given_cells(centres[1], known).log_prob(drawn[:2]) - prior().log_prob(drawn[:2])
    assert_close(ratio[0], ratio[1], rtol=0, atol=1e-3)


def test_what_is_stored_comes_back() -> None:
    codes, labels, _ = blobs(500)
    prior, _ = MixtureFamily(4).fit(ToyCodes(codes, labels))
    result = MixtureFamily(4).restore(EVENT, prior.state_dict())
    assert result.classes == 3
    assert torch.equal(result().log_prob(codes), prior().log_prob(codes))
    with pytest.raises(UserError, match=r"loc came as \[4, 8, 1, 1\], wanted is \[5, 8, 1, 1\]"):
        MixtureFamily(5).restore(EVENT, {**prior.state_dict(), "log_weights": torch.zeros(5)})


def test_bad_input() -> None:
    with pytest.raises(UserError, match=r"components=600 is more than there are codes .450.: use at most"):
        MixtureFamily(600).fit(ToyCodes(blobs(500)[0]))
    with pytest.raises(UserError, match=r"components=0 is not possible"):
        parse_family("mixture:components=0")
    with pytest.raises(UserError, match=r"no option 'component'. Did you mean 'components'"):
        parse_family("mixture:component=3")
    with pytest.raises(UserError, match=r"There is no prior 'mixtures'. Did you mean 'mixture'"):
        parse_family("mixtures")
    prior, _ = MixtureFamily(2).fit(ToyCodes(*blobs(500)[:2]))
    with pytest.raises(UserError, match=r"label 3 does not exist: labels go from 0 to 2, nearest 2"):
        prior(3)
    with pytest.raises(UserError, match=r"knows no labels"):
        gaussian(torch.zeros(EVENT))(0)
