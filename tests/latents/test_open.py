"""What a latent says beside its distribution: the axes of its parameters, their start, its maps' marginals."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch.distributions import Distribution, Independent, MultivariateNormal, Normal, kl_divergence
from torch.testing import assert_close

from spatialvae.distributions import map_marginals
from spatialvae.errors import UserError
from spatialvae.latents import AbstractLatent, Naive
from spatialvae.metrics.latent.aggregate import Moments
from spatialvae.metrics.latent.divergence import divergence_per_map, divergence_per_site
from spatialvae.metrics.latent.gauge import ScaleSums
from spatialvae.priors import LearnedPrior, standard_normal
from tests.latents.cases import CASES, outputs, spelled

every_latent = pytest.mark.parametrize("latent", CASES, ids=spelled)


@every_latent
def test_axes_have_the_sizes_of_the_shapes(latent: AbstractLatent) -> None:
    h, w = latent.height, latent.width
    sizes = {"map": latent.maps, "row": h, "column": w, "row-pair": h * (h - 1) // 2, "column-pair": w * (w - 1) // 2}
    assert latent.axes.keys() == latent.shapes.keys()
    for name, axes in latent.axes.items():
        assert len(set(axes)) == len(axes), name
        result = dict(zip(axes, latent.shapes[name], strict=True))
        assert result == {axis: sizes.setdefault(axis, result[axis]) for axis in axes}, name


@every_latent
def test_it_starts_near_the_standard_normal(latent: AbstractLatent) -> None:
    start = latent.initial()
    assert {name: tuple(value.shape) for name, value in start.items()} == {**latent.shapes, **latent.shared_shapes}
    distribution = latent.distribution(start)
    assert_close(distribution.mean, torch.zeros(latent.event_shape))
    assert_close(distribution.stddev, torch.ones(latent.event_shape))


@every_latent
def test_every_free_parameter_learns_from_the_start(latent: AbstractLatent) -> None:
    torch.manual_seed(0)
    prior, codes = LearnedPrior(latent), 1 + torch.randn(5, *latent.event_shape)
    before = {name: value.detach().clone() for name, value in prior.named_parameters()}
    optimizer = torch.optim.SGD(prior.parameters(), lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        (-prior().log_prob(codes).mean()).backward()
        optimizer.step()
    assert all((value != before[name]).all() for name, value in prior.named_parameters())


@every_latent
def test_the_marginals_of_its_maps(latent: AbstractLatent) -> None:
    q = latent.distribution({name: value.detach() for name, value in outputs(latent, batch=3).items()})
    maps = map_marginals(q)
    assert (maps.batch_shape, maps.event_shape) == ((3, latent.maps), latent.event_shape[1:])
    assert_close(maps.mean, q.mean)
    assert_close(maps.stddev, q.stddev)
    z = q.sample()
    if isinstance(q, Independent):
        assert_close(maps.log_prob(z).sum(-1), q.log_prob(z))


@every_latent
def test_its_health_can_be_measured(latent: AbstractLatent) -> None:
    q = latent.distribution({name: value.detach() for name, value in outputs(latent, batch=3).items()})
    prior = standard_normal(latent.event_shape, dtype=torch.float64)
    per_map = divergence_per_map(q, prior)
    assert_close(per_map.sum(-1), kl_divergence(q, prior))
    assert_close(divergence_per_site(q, prior, per_map).sum((-2, -1)), per_map)
    covariance = Moments.of(q).spread / 3
    variance = covariance.diagonal(dim1=-2, dim2=-1).reshape(latent.event_shape)
    assert_close(variance, q.variance.mean(0))
    sums = ScaleSums.of(q)
    assert sums is None or len(sums.row) == latent.height


def test_a_distribution_whose_maps_are_unknown_is_refused_with_the_way_out() -> None:
    with pytest.raises(UserError, match=r"MultivariateNormal are not known: give it a method slices\(\)"):
        map_marginals(MultivariateNormal(torch.zeros(3), torch.eye(3)))


@pytest.mark.parametrize("groups", [(3,), (2, 1), (1, 2), (1, 1, 1)])
def test_marginals_do_not_depend_on_how_axes_are_grouped(groups: tuple[int, ...]) -> None:
    q: Distribution = Normal(torch.randn(5, 2, 3, 4), torch.ones(5, 2, 3, 4))
    for axes in groups:
        q = Independent(q, axes)
    maps = map_marginals(q)
    assert (maps.batch_shape, maps.event_shape) == ((5, 2), (3, 4))


def test_a_latent_without_axes_says_what_is_missing() -> None:
    @dataclass(frozen=True)
    class Mine(Naive):
        @property
        def shapes(self) -> dict[str, tuple[int, ...]]:
            return {"loc": self.event_shape, "rows": (self.maps, self.height)}

    with pytest.raises(UserError, match=r"Mine does not define the axes of rows \[4, 3\]: add a property axes"):
        print(Mine(4, 3, 3).axes)
