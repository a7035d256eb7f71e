"""Some cells of a picture's code drawn anew from a prior, given the others."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from spatialvae.distributions import DiagonalFactor, TensorNormal
from spatialvae.editing.cells import check_region
from spatialvae.editing.decoded import decoded, posterior_of
from spatialvae.errors import UserError
from spatialvae.model import SpatialVAE
from spatialvae.priors import AbstractCodeDistribution, AbstractPrior
from spatialvae.runtime.evaluating import evaluating
from spatialvae.seeding import seeded

__all__ = ["draws_given_cells", "inpaint", "prior_for_cells", "region_drawn"]

COLDEST = 1e-4
"""A distribution without any noise has no density to condition with."""


@torch.no_grad()
def inpaint(
    model: SpatialVAE,
    image: Tensor,
    cells: Tensor,
    count: int,
    *,
    prior: str | None = None,
    temperature: float = 1.0,
    seed: int | None = None,
) -> Tensor:
    """Pictures whose codes agree with that of `image` outside a region and are drawn inside it: uint8 [count C H W].

        z_R ~ p(z_R | z_K),  z_K ~ q(z_K|x),  R the region's cells, K the others; decoded is (m_K, z_R), m = mean q(z|x)

    A cell's code also depends on pixels around its place (see `influence`), so the known cells may remember some of
    what the region showed.

    Args:
        image: [C H W].
        cells: the region, bool [height, width] of the maps.
        prior: the name of p(z); default: see `prior_for_cells`.
        temperature: scales the noise of the prior and of q(z_K|x); 0 is the conditional mean where that is Gaussian.
        seed: makes the draw repeatable.

    Raises:
        UserError: a mask of other maps, one without cells, or a prior that cannot be conditioned on cells.
        ValueError: an image of another size than the model's.
    """
    _, height, width = model.latent.event_shape
    check_region(cells, (height, width))
    posterior, known = posterior_of(model, image[None]), ~cells.to(model.device)
    name = prior or prior_for_cells(model)
    with evaluating(model), seeded(seed):
        prior_of_codes = _prior(model, model.priors.resolve(name))
        codes = region_drawn(prior_of_codes, posterior, known, count, temperature=temperature, name=name)
    return decoded(model, codes)


def region_drawn(
    prior: AbstractPrior | Distribution,
    posterior: Distribution,
    known: Tensor,
    count: int,
    *,
    temperature: float = 1.0,
    name: str = "given",
) -> Tensor:
    """Codes with a posterior's mean in the cells `known`, and draws from `prior` in the others: [count, maps, h, w].

        z_R ~ integral of p(z_R | z_K) q(z_K|x) dz_K

    `prior` describes draws from q(z|x), which spread wider than the means: a mean is no typical condition, and what is
    drawn given it would spread too little. So each draw is given a z_K of its own. The known cells themselves stay at
    the mean, the same in all: what q(z_K|x) leaves open there is no part of the question.

    Args:
        prior: a fitted prior, or a distribution with batch [] and event [maps, height, width].
        posterior: q(z|x) of one image, batch [1].
        known: bool [height, width].
        count: how many codes.
        temperature: of the prior and of the posterior.
        name: what the prior is called in complaints.

    Raises:
        UserError: a prior that cannot be conditioned on cells.
    """
    [mean] = posterior.mean
    conditions = mean + temperature * (posterior.sample(torch.Size([count])).squeeze(1) - mean)
    drawn = [draws_given_cells(prior, one, known, 1, temperature=temperature, name=name) for one in conditions]
    return torch.where(known, mean, torch.cat(drawn))


def prior_for_cells(model: SpatialVAE) -> str:
    """The name of the prior that inpainting takes by itself: the first that can be conditioned on cells among the
    model's default, the Gaussian, the other fitted ones and its own; else standard.
    """
    names = dict.fromkeys([model.priors.default, "gaussian", *model.priors, model.priors.own])
    known = [name for name in names if name in model.priors or name == model.priors.own]
    return next((name for name in known if _can_be_given(model.prior(name))), "standard")


def _prior(model: SpatialVAE, name: str) -> AbstractPrior | Distribution:
    return model.priors[name] if name in model.priors else model.prior(name)


def draws_given_cells(
    prior: AbstractPrior | Distribution,
    code: Tensor,
    known: Tensor,
    count: int,
    *,
    temperature: float = 1.0,
    name: str = "given",
) -> Tensor:
    """Draws from `prior` of whole codes that agree with `code` in the cells `known`: [count, maps, height, width].

    Fitted priors draw by `given_cells`. Where cells are independent, as under N(0, I), the others are just drawn.

    Args:
        prior: a fitted prior, or a distribution with batch [] and event [maps, height, width].
        code: [maps, height, width].
        known: bool [height, width].
        count: how many codes.
        temperature: scales the noise that draws are made of.
        name: what the prior is called in complaints.

    Raises:
        UserError: a prior that cannot be conditioned on cells.

    >>> from spatialvae.priors import standard_normal
    >>> known = torch.tensor([[True, False]])
    >>> draws_given_cells(standard_normal((4, 1, 2)), 5 * torch.ones(4, 1, 2), known, 3)[:, :, 0, 0].unique()
    tensor([5.])
    """
    if isinstance(prior, AbstractPrior):
        codes = prior(temperature=max(temperature, COLDEST))
        if known.any() and not _can_be_given(codes):
            raise UserError(f"The prior {name} cannot be conditioned on cells: use gaussian or mixture.")
        return (codes.given_cells(code, known) if known.any() else codes).sample(torch.Size([count])).to(code)
    if not _independent_cells(prior):
        raise UserError(f"The prior {name} cannot be conditioned on cells: use gaussian, once fitted, or standard.")
    drawn = prior.mean + temperature * (prior.sample(torch.Size([count])) - prior.mean)
    return torch.where(known, code, drawn.to(code))


def _can_be_given(codes: Distribution) -> bool:
    if isinstance(codes, AbstractCodeDistribution):
        return type(codes).given_cells is not AbstractCodeDistribution.given_cells
    return _independent_cells(codes)


def _independent_cells(codes: Distribution) -> bool:
    """Whether numbers in different cells are independent: normal sites, or diagonal factors of rows and columns."""
    if isinstance(codes, Independent):
        return _independent_cells(codes.base_dist)
    if isinstance(codes, TensorNormal):
        return all(isinstance(side, DiagonalFactor) for side in codes.sides[-2:])
    return isinstance(codes, Normal)
