"""The scales of a matrix normal with the gauge fixed: what the distribution determines, and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from spatialvae.distributions import MatrixNormal
from spatialvae.metrics.latent.gauge import ScaleSums, fixed_gauge

ROW, COLUMN = torch.tensor([0.5, 1.0, 6.0]).double(), torch.tensor([2.0, 0.1]).double()


def matrix_normal(row: Tensor, column: Tensor, triangular: bool = False) -> MatrixNormal:
    loc = torch.randn(*row.shape[:-1], row.shape[-1], column.shape[-1], dtype=torch.float64)
    if not triangular:
        return MatrixNormal(loc, row_scale=row, column_scale=column)
    return MatrixNormal(loc, row_scale_tril=row.diag_embed(), column_scale_tril=column.diag_embed())


@pytest.mark.parametrize("triangular", [False, True])
@pytest.mark.parametrize("c", [1e-8, 0.3, 1.0, 7.0, 1e8])
def test_c_does_not_matter(c: float, triangular: bool) -> None:
    # (c Omega, Psi / c): the scales change by sqrt(c).
    fixed = fixed_gauge(matrix_normal(ROW * c**0.5, COLUMN / c**0.5, triangular))
    for part, wanted in zip(fixed, fixed_gauge(matrix_normal(ROW, COLUMN)), strict=True):
        assert_close(part, wanted)


def test_another_distribution_has_another_total() -> None:
    row, column, total = fixed_gauge(matrix_normal(ROW, COLUMN))
    wider = fixed_gauge(matrix_normal(3 * ROW, COLUMN))
    assert_close(wider[0], row)
    assert_close(wider[1], column)
    assert_close(wider[2], 3 * total)


@pytest.mark.parametrize("shape", [(3, 2), (1, 4), (5, 1), (1, 1)])
def test_they_make_the_standard_deviations_again(shape: tuple[int, int]) -> None:
    below = 0.5 * torch.randn(4, 2, shape[0], shape[0], dtype=torch.float64).tril(-1)
    row = below + torch.rand(4, 2, shape[0], dtype=torch.float64).add(0.1).diag_embed()
    column = torch.rand(4, 2, shape[1], dtype=torch.float64) + 0.1
    made = MatrixNormal(torch.zeros(4, 2, *shape).double(), row_scale_tril=row, column_scale=column)
    rows, columns, total = fixed_gauge(made)
    assert (rows.shape, columns.shape, total.shape) == ((4, 2, shape[0]), (4, 2, shape[1]), (4, 2))
    assert_close(rows.prod(-1), torch.ones(4, 2).double())
    assert_close(columns.prod(-1), torch.ones(4, 2).double())
    assert_close(total[..., None, None] * rows[..., None] * columns[..., None, :], made.stddev)
    assert_close(total, made.stddev.flatten(2).log().mean(-1).exp())


def test_sums_are_geometric_means_over_all_maps() -> None:
    parts = [matrix_normal(torch.rand(n, 2, 3).double() + 0.1, torch.rand(n, 2, 4).double() + 0.1) for n in (5, 3)]
    first, second = (ScaleSums.of(part) for part in parts)
    assert first is not None
    assert second is not None
    result = (first + second).means()
    every = [torch.cat([a.flatten(0, 1), b.flatten(0, 1)]) for a, b in zip(*map(fixed_gauge, parts), strict=True)]
    for values, mean in zip(every, (result.row, result.column, result.total), strict=True):
        product = values.prod(0) ** (1 / len(values))
        assert_close(torch.tensor(mean, dtype=torch.float64), product)
    assert torch.tensor(result.row).prod().item() == pytest.approx(1)


def test_other_distributions_have_no_rows_and_columns() -> None:
    sites = torch.distributions.Normal(torch.zeros(2, 3, 3), 1.0)
    assert ScaleSums.of(torch.distributions.Independent(sites, 3)) is None
