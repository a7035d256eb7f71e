"""Correlations between cells: for a known Kronecker covariance, and for the three distributions of a model."""

from __future__ import annotations

import pytest
import torch

from spatialvae.data.subset import subset
from spatialvae.distributions import TensorNormal, TriangularFactor, map_marginals
from spatialvae.editing import correlation as module
from spatialvae.editing.correlation import neighbours, off_diagonal, site_correlation, site_correlations
from spatialvae.latents import LATENTS
from tests.editing.models import pictures, small


def test_a_known_tensor_normal() -> None:
    trils = [
        torch.linalg.cholesky(x @ x.mT + torch.eye(len(x))) for x in (torch.randn(k, k).double() for k in (4, 2, 3))
    ]
    distribution = TensorNormal(torch.randn(4, 2, 3, dtype=torch.float64), [TriangularFactor(tril) for tril in trils])
    row, column = (tril @ tril.mT for tril in trils[1:])
    covariance = torch.kron(row, column)
    scale = covariance.diagonal().sqrt()
    correlation = site_correlation(distribution.sample(torch.Size([20_000])))
    torch.testing.assert_close(correlation, covariance / scale / scale[:, None], atol=0.03, rtol=0)
    assert (correlation.diagonal() == 1).all()
    assert correlation.abs().max() <= 1 + 1e-12


def test_maps_and_images_are_averaged() -> None:
    draws = torch.randn(50, 3, 2, 2, 2)
    each = [site_correlation(draws[:, i, j : j + 1]) for i in range(3) for j in range(2)]
    torch.testing.assert_close(site_correlation(draws), torch.stack(each).mean(0))
    one = draws[:, 0, 0].flatten(1).T.corrcoef().double()
    torch.testing.assert_close(each[0], one, atol=1e-6, rtol=1e-5)


def test_a_number_that_never_changes() -> None:
    draws = torch.randn(20, 1, 1, 3)
    draws[..., 1] = 5.0
    correlation = site_correlation(draws)
    assert correlation[1].tolist() == [0, 1, 0]


@pytest.mark.parametrize("latent", list(LATENTS))
def test_the_three_distributions_of_a_model(latent: str) -> None:
    model, images = small(latent), pictures(20)
    correlation = site_correlations(model, images)
    again = site_correlations(model, images)
    sites = model.latent.height * model.latent.width
    for name, matrix in vars(correlation).items():
        assert matrix.shape == (sites, sites), name
        assert (matrix.diagonal() == 1).all()
        assert torch.equal(matrix, vars(again)[name])
    if sites > 1:  # independent numbers, but for what the images have in common
        assert off_diagonal(correlation.prior) < 0.05
        assert off_diagonal(correlation.posterior) < 0.05


def test_the_posterior_is_of_the_images_of_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POSTERIOR_IMAGES", 2)
    taken: list[list[int]] = []
    monkeypatch.setattr(
        module, "subset", lambda count, limit, *, seed: taken.append([count, limit, seed]) or subset(count, 1)
    )
    site_correlations(small(), pictures(20), seed=4)
    assert taken == [[20, 2, 4]]


def test_the_aggregate_sees_what_images_share() -> None:
    model = small("naive")
    with torch.no_grad():
        model.posterior.projection.weight[: model.latent.numbers].mul_(10)  # means move far with the image
    images = (torch.arange(20)[:, None, None, None] * 12).expand(20, 1, 8, 8).to(torch.uint8)
    correlation = site_correlations(model, images)
    with torch.no_grad():
        q = model.encode(images)
    within = q.variance.mean(0).double().flatten(1).diag_embed()
    covariance = within + torch.stack([part.T.cov(correction=0) for part in q.mean.double().flatten(2).unbind(1)])
    scale = covariance.diagonal(dim1=1, dim2=2).sqrt()
    expected = (covariance / scale[:, :, None] / scale[:, None, :]).mean(0)
    assert off_diagonal(expected) > 0.2
    assert (correlation.aggregate - expected).abs().max() < 0.07


def test_the_posterior_is_within_an_image() -> None:
    model, images = small("matrix-normal:covariance=full"), pictures(3)
    with torch.no_grad():
        model.posterior.projection.bias.fill_(1.0)  # else signs cancel in the mean over maps
        distribution = map_marginals(model.encode(images))
        assert isinstance(distribution, TensorNormal)
        row, column = (side.covariance().double() for side in distribution.sides)
    covariance = torch.einsum("bkij,bklm->bkiljm", row, column).flatten(2, 3).flatten(3, 4)
    scale = covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    expected = (covariance / scale[..., None] / scale[..., None, :]).mean((0, 1))
    assert off_diagonal(expected) > 0.1
    assert (site_correlations(model, images).posterior - expected).abs().max() < 0.08


def test_summaries() -> None:
    matrix = torch.eye(6, dtype=torch.float64)
    for a, b in ((0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)):
        matrix[a, b] = matrix[b, a] = 0.5
    assert neighbours(matrix, (2, 3)) == 0.5
    assert off_diagonal(matrix) == pytest.approx(14 * 0.5 / 30)
    assert neighbours(torch.ones(1, 1), (1, 1)) == off_diagonal(torch.ones(1, 1)) == 0
