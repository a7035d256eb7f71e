"""Cells drawn given others: against a dense conditional Gaussian, and what stays as it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from spatialvae.data.pixels import to_uint8
from spatialvae.distributions import AbstractFactor, DiagonalFactor, TensorNormal, TriangularFactor
from spatialvae.editing.cells import parse_cells
from spatialvae.editing.inpaint import draws_given_cells, inpaint, prior_for_cells, region_drawn
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS
from spatialvae.priors import AbstractCodeDistribution, AbstractPrior, GaussianFamily, LearnedPrior, standard_normal
from tests.editing.models import near, pictures, small
from tests.priors.gaussians import gaussian

SHAPE = (2, 2, 3)
KNOWN = ~parse_cells("0,0+1,1:3", SHAPE[1:])


def random_gaussian() -> tuple[Tensor, Tensor]:
    """A mean and a Cholesky factor."""
    factor = torch.randn(12, 12, dtype=torch.float64)
    return torch.randn(SHAPE, dtype=torch.float64), torch.linalg.cholesky(factor @ factor.mT + torch.eye(12))


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_draws_have_the_conditional_moments(temperature: float) -> None:
    loc, tril = random_gaussian()
    code = torch.randn(SHAPE, dtype=torch.float64)
    draws = draws_given_cells(gaussian(loc, tril), code, KNOWN, 40_000, temperature=temperature)
    assert (draws[:, :, KNOWN] == code[:, KNOWN]).all()
    known = KNOWN.expand(SHAPE).flatten()
    covariance, flat = tril @ tril.mT, draws.flatten(1)[:, ~known]
    gain = torch.linalg.solve(covariance[known][:, known], covariance[known][:, ~known]).mT
    mean = loc.flatten()[~known] + gain @ (code - loc).flatten()[known]
    spread = temperature**2 * (covariance[~known][:, ~known] - gain @ covariance[known][:, ~known])
    deviation = spread.diagonal().sqrt()
    assert ((flat.mean(0) - mean) / deviation).abs().max() < 0.03
    assert ((flat.T.cov() - spread) / deviation / deviation[:, None]).abs().max() < 0.05


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_a_region_is_drawn_given_draws_and_beside_means(temperature: float) -> None:
    # z_K ~ N(m_K, S_K) and z_R | z_K ~ N(loc_R + G (z_K - loc_K), C_R|K): so z_R has C_R|K + G S_K G^T.
    loc, tril = random_gaussian()
    mean, spread = torch.randn(1, *SHAPE, dtype=torch.float64), 4 + torch.rand(1, *SHAPE, dtype=torch.float64)
    posterior, count = Independent(Normal(mean, spread), 3), 200
    codes = region_drawn(gaussian(loc, tril), posterior, KNOWN, count, temperature=temperature)
    assert (codes[:, :, KNOWN] == mean[0][:, KNOWN]).all()
    known = KNOWN.expand(SHAPE).flatten()
    covariance, flat = tril @ tril.mT, codes.flatten(1)[:, ~known]
    gain = torch.linalg.solve(covariance[known][:, known], covariance[known][:, ~known]).mT
    centre = loc.flatten()[~known] + gain @ (mean[0] - loc).flatten()[known]
    given = covariance[~known][:, ~known] - gain @ covariance[known][:, ~known]
    wanted = temperature**2 * (given + gain @ spread.flatten()[known].square().diag() @ gain.mT)
    deviation = wanted.diagonal().sqrt()
    assert ((flat.mean(0) - centre) / deviation).abs().max() < 5 / count**0.5
    assert ((flat.T.cov() - wanted) / deviation / deviation[:, None]).abs().max() < 5 * (2 / count) ** 0.5
    assert (wanted.diagonal() / given.diagonal() / temperature**2).max() > 3  # conditions on means would miss it


def test_a_region_of_all_cells_is_a_draw() -> None:
    loc, tril = random_gaussian()
    nothing = torch.zeros(SHAPE[1:], dtype=torch.bool)
    draws = draws_given_cells(gaussian(loc, tril), torch.zeros_like(loc), nothing, 20_000)
    assert ((draws.mean(0) - loc).flatten() / tril.square().sum(1).sqrt()).abs().max() < 0.04


def test_independent_cells_are_just_drawn() -> None:
    code = 9 * torch.ones(SHAPE)
    draws = draws_given_cells(standard_normal(SHAPE), code, KNOWN, 4000, temperature=0.5)
    assert (draws[:, :, KNOWN] == 9).all()
    assert abs(draws[:, :, ~KNOWN].std().item() - 0.5) < 0.02


@pytest.mark.parametrize("latent", list(LATENTS))
def test_a_learned_prior_of_independent_cells(latent: str) -> None:
    options = (2, 1, 1) if latent == "vector" else SHAPE
    distribution = LearnedPrior(LATENTS[latent](*options))()
    known = torch.zeros(options[1:], dtype=torch.bool)
    with torch.no_grad():
        assert draws_given_cells(distribution, torch.zeros(options), known, 5).shape == (5, *options)


@pytest.mark.parametrize("correlated", [1, 2])
def test_a_learned_prior_of_correlated_cells_is_refused(correlated: int) -> None:
    sides: list[AbstractFactor] = [TriangularFactor(torch.eye(2)), *(DiagonalFactor(torch.ones(n)) for n in SHAPE[1:])]
    free = TensorNormal(torch.zeros(SHAPE), sides)
    assert draws_given_cells(free, torch.zeros(SHAPE), KNOWN, 3).shape == (3, *SHAPE)  # maps may be correlated
    sides[correlated] = TriangularFactor(torch.eye(SHAPE[correlated]))
    distribution = TensorNormal(torch.zeros(SHAPE), sides)
    with pytest.raises(UserError, match="prior learned cannot be conditioned on cells"):
        draws_given_cells(distribution, torch.zeros(SHAPE), KNOWN, 3, name="learned")


def test_a_region_is_drawn_and_decoded() -> None:
    model, [image] = small(), pictures(1)
    cells = parse_cells("0:2,1:3", (3, 3))
    drawn = inpaint(model, image, cells, 3, seed=1)
    assert (drawn.dtype, drawn.shape) == (torch.uint8, (3, 1, 8, 8))
    assert torch.equal(drawn, inpaint(model, image, cells, 3, seed=1, prior="gaussian"))  # the default
    assert not torch.equal(drawn, inpaint(model, image, cells, 3, seed=2))
    assert not torch.equal(drawn, inpaint(model, image, cells, 3, seed=1, prior="standard"))
    cold = inpaint(model, image, cells, 2, temperature=0)
    with torch.no_grad():
        code = model.encode(image[None]).mean.clone()
        code[:, :, 0:2, 1:3] = 3.0  # the prior's numbers are independent, with mean 3
        expected = to_uint8(model.decode(code).mean)
    assert near(cold, expected.expand(2, -1, -1, -1))


class Nowhere(AbstractCodeDistribution):
    """A distribution that nobody can condition."""

    @property
    def mean(self) -> Tensor:
        return torch.zeros(2, 3, 3)

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        return torch.zeros(*sample_shape, 2, 3, 3)

    def log_prob(self, value: Tensor) -> Tensor:
        return value.sum((-3, -2, -1))


class Unconditional(AbstractPrior):
    """Its prior."""

    def distribution(self, label: int | None, temperature: float, solver: object) -> Nowhere:
        return Nowhere(self.event_shape)


def test_the_default_is_one_that_can_be_given_cells() -> None:
    model = small()
    assert prior_for_cells(model) == "gaussian"
    distribution = Unconditional(GaussianFamily(), (2, 3, 3))
    model.priors["other"], model.priors.chosen = distribution, "other"
    assert (model.priors.default, prior_for_cells(model)) == ("other", "gaussian")
    del model.priors["gaussian"]
    assert prior_for_cells(model) == "standard"
    [image] = pictures(1)
    assert inpaint(model, image, torch.ones(3, 3, dtype=torch.bool), 2).shape == (2, 1, 8, 8)
    with pytest.raises(UserError, match="cannot be conditioned on cells"):
        inpaint(model, image, parse_cells("0,0", (3, 3)), 2, prior="other")


def test_what_is_refused() -> None:
    model, [image] = small(), pictures(1)
    with pytest.raises(UserError, match="no cell"):
        inpaint(model, image, torch.zeros(3, 3, dtype=torch.bool), 1)
    with pytest.raises(UserError, match="no prior 'gausian'"):
        inpaint(model, image, torch.ones(3, 3, dtype=torch.bool), 1, prior="gausian")
    with pytest.raises(ValueError, match="this model wants"):
        inpaint(model, torch.zeros(3, 8, 8, dtype=torch.uint8), torch.ones(3, 3, dtype=torch.bool), 1)
