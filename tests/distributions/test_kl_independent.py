"""The KL of codes does not depend on how their dimensions are grouped."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Independent, Laplace, Normal, kl_divergence

from spatialvae.distributions import MatrixNormal


def normals(*shape: int) -> Normal:
    return Normal(torch.randn(*shape, dtype=torch.float64), torch.rand(*shape, dtype=torch.float64) + 0.5)


def matrix_normals(*batch: int) -> MatrixNormal:
    loc = torch.randn(*batch, 2, 3, dtype=torch.float64)
    scales = torch.rand(*batch, 5, dtype=torch.float64) + 0.5
    return MatrixNormal(loc, row_scale=scales[..., :2], column_scale=scales[..., 2:])


@pytest.mark.parametrize("flip", [False, True])
def test_matrix_normal_maps_against_flat_normals(flip: bool) -> None:
    maps, flat = matrix_normals(7, 4), normals(4, 2, 3)
    pair = (Independent(maps, 1), Independent(flat, 3))
    same = (maps, Independent(flat, 2))
    ours = kl_divergence(*(reversed(pair) if flip else pair))
    torch.testing.assert_close(ours, kl_divergence(*(reversed(same) if flip else same)).sum(-1))
    assert ours.shape == (7,)


def test_nested_normals_equal_flat_ones() -> None:
    q, p = normals(7, 4, 2, 3), normals(4, 2, 3)
    expected = kl_divergence(q, p).sum((-3, -2, -1))
    for left in (Independent(q, 3), Independent(Independent(q, 2), 1), Independent(Independent(q, 1), 2)):
        for right in (Independent(p, 3), Independent(Independent(p, 2), 1)):
            torch.testing.assert_close(kl_divergence(left, right), expected)


def test_other_events_and_other_distributions_are_refused() -> None:
    with pytest.raises(ValueError, match="equal events"):
        kl_divergence(Independent(normals(4, 3), 1), Independent(normals(4, 3), 2))
    with pytest.raises(NotImplementedError):
        kl_divergence(Independent(matrix_normals(4), 1), Independent(Laplace(torch.zeros(4, 2, 3), 1.0), 3))
