"""The share of rank 1 in mean maps, by numpy's singular values and cases known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from spatialvae.latents import parse_latent
from spatialvae.metrics.latent.rank import rank_one_share


@pytest.mark.parametrize("shape", [(1, 3, 3), (4, 2, 5), (3, 5, 2), (2, 1, 4), (3, 1, 1)])
def test_by_singular_values(shape: tuple[int, int, int]) -> None:
    means = torch.randn(6, *shape, dtype=torch.float64) * torch.rand(6, shape[0], 1, 1).double()
    wanted = []
    for image in means.numpy():
        values = [np.linalg.svd(one, compute_uv=False) for one in image]
        wanted.append(sum(s[0] ** 2 for s in values) / sum((s**2).sum() for s in values))
    assert_close(rank_one_share(means), torch.tensor(wanted, dtype=torch.float64))


@pytest.mark.parametrize("grid", [(3, 3, 3), (2, 2, 4), (1, 5, 3)])
def test_the_low_rank_latent_has_all_of_it(grid: tuple[int, int, int]) -> None:
    latent = parse_latent("low-rank", grid)
    distribution = latent.distribution({name: torch.randn(50, *shape) for name, shape in latent.shapes.items()})
    assert_close(rank_one_share(distribution.mean), torch.ones(50).double(), rtol=0, atol=1e-6)
    free = parse_latent("matrix-normal", grid)
    distribution = free.distribution({name: torch.randn(50, *shape) for name, shape in free.shapes.items()})
    assert rank_one_share(distribution.mean).max() < 0.99


def test_maps_count_by_their_energy() -> None:
    identity, outer = torch.eye(2), 10 * torch.ones(2, 2)  # shares 1/2 of energy 2, and 1 of energy 400
    result = rank_one_share(torch.stack([identity, outer])[None])
    assert result.item() == pytest.approx((1 + 400) / 402)


def test_images_without_energy_are_left_out() -> None:
    means = torch.zeros(3, 2, 2, 2)
    means[1, 0] = torch.eye(2)
    assert_close(rank_one_share(means), torch.tensor([0.5]).double())
    assert len(rank_one_share(torch.zeros(2, 1, 3, 3))) == 0
