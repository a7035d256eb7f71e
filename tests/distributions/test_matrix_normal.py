"""MatrixNormal against scipy, against the dense multivariate normal and against its own samples."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.distributions import Independent, Normal, constraints
from torch.testing import assert_close

from spatialvae.distributions import MatrixNormal
from tests.distributions.forms import (
    FORMS,
    LargestTensor,
    arguments,
    batches,
    dense,
    forms,
    matrix_normal,
    seeds,
    sizes,
)

few = settings(deadline=None, max_examples=25)
each_form = pytest.mark.parametrize("form", FORMS, ids="-".join)
ZEROS, ROW, COLUMN = torch.zeros(4, 2, 3), torch.ones(2), torch.ones(3)


@few
@given(form=forms, m=sizes, n=sizes, seed=seeds)
def test_scipy_agrees(form: tuple[str, str], m: int, n: int, seed: int) -> None:
    torch.manual_seed(seed)
    a, x = matrix_normal(form, m, n), torch.randn(3, m, n, dtype=torch.float64)
    mean, rowcov, colcov = (t.numpy() for t in (a.mean, a.row_covariance, a.column_covariance))
    oracle: Any = scipy.stats.matrix_normal(mean, rowcov, colcov)  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(a.log_prob(x).numpy(), oracle.logpdf(x.numpy()), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(a.entropy().item(), oracle.entropy(), rtol=1e-8, atol=1e-8)


@few
@given(form=forms, m=sizes, n=sizes, shapes=batches, seed=seeds)
def test_dense_normal_agrees(form: tuple[str, str], m: int, n: int, shapes: Any, seed: int) -> None:
    torch.manual_seed(seed)
    a = matrix_normal(form, m, n, shapes)
    oracle = dense(a)
    assert a.batch_shape == oracle.batch_shape == torch.broadcast_shapes(*shapes[:3])
    assert a.event_shape == (m, n)
    value = torch.randn(2, *a.batch_shape, m, n, dtype=torch.float64)
    assert_close(a.log_prob(value), oracle.log_prob(value.flatten(-2)))
    assert_close(a.entropy(), oracle.entropy())
    assert_close(a.mean.flatten(-2), oracle.mean)
    assert_close(a.mode, a.mean)
    assert_close(a.variance.flatten(-2), oracle.variance)
    assert_close(a.stddev.flatten(-2), oracle.stddev)
    same = a.to_multivariate_normal()
    assert_close(same.covariance_matrix, oracle.covariance_matrix)
    assert_close(same.loc, oracle.loc)
    assert a.row_covariance.shape == (*a.batch_shape, m, m)
    assert a.column_covariance.shape == (*a.batch_shape, n, n)


@few
@given(form=forms, m=sizes, n=sizes, shapes=batches, seed=seeds)
def test_samples_are_m_plus_l_e_l(form: tuple[str, str], m: int, n: int, shapes: Any, seed: int) -> None:
    torch.manual_seed(seed)
    a = matrix_normal(form, m, n, shapes)
    row, column = (torch.linalg.cholesky(c) for c in (a.row_covariance, a.column_covariance))
    torch.manual_seed(seed)
    sample = a.rsample((2, 3))
    torch.manual_seed(seed)
    noise = torch.randn(2, 3, *a.batch_shape, m, n, dtype=torch.float64)
    assert_close(sample, a.loc + row @ noise @ column.mT)


@each_form
def test_samples_have_the_moments_of_the_distribution(form: tuple[str, str]) -> None:
    a = matrix_normal(form, 2, 3)
    draws = a.sample((200_000,)).flatten(-2)
    wanted = dense(a)
    assert_close(draws.mean(0), wanted.mean, atol=0.02, rtol=0)
    scale = wanted.stddev.outer(wanted.stddev)
    assert_close(draws.T.cov() / scale, wanted.covariance_matrix / scale, atol=0.02, rtol=0)


@few
@given(form=forms, m=sizes, n=sizes, seed=seeds)
def test_the_split_between_the_sides_is_a_gauge(form: tuple[str, str], m: int, n: int, seed: int) -> None:
    torch.manual_seed(seed)
    parameters = arguments(form, m, n)
    other = dict(parameters)
    for name in parameters:
        amount = {"row_scale": 7.0, "column_scale": 1 / 7}.get(name.removesuffix("_tril"), 1.0)
        other[name] = amount * parameters[name]
    a, b = MatrixNormal(**parameters), MatrixNormal(**other)
    value = torch.randn(m, n, dtype=torch.float64)
    assert_close(a.log_prob(value), b.log_prob(value))
    assert_close(a.entropy(), b.entropy())
    assert_close(a.variance, b.variance)


@each_form
def test_one_by_one_is_the_normal(form: tuple[str, str]) -> None:
    a, value = matrix_normal(form, 1, 1), torch.randn(5, 1, 1, dtype=torch.float64)
    oracle = Independent(Normal(a.mean, a.stddev), 2)
    assert_close(a.log_prob(value), oracle.log_prob(value))
    assert_close(a.entropy(), oracle.entropy())


@each_form
def test_gradients_reach_every_parameter_twice(form: tuple[str, str]) -> None:
    parameters = arguments(form, 2, 3, ((2,), (), (1,)))
    value = torch.randn(2, 2, 3, dtype=torch.float64)
    names = list(parameters)

    def terms(*tensors: Tensor) -> tuple[Tensor, ...]:
        torch.manual_seed(1)
        # tril: finite differences would otherwise step outside the triangle.
        inputs = {k: t.tril() if k.endswith("tril") else t for k, t in zip(names, tensors, strict=True)}
        a = MatrixNormal(**inputs, validate_args=False)
        return a.log_prob(value), a.entropy(), a.rsample(), a.stddev

    inputs = tuple(t.requires_grad_() for t in parameters.values())
    assert gradcheck(terms, inputs)
    assert gradgradcheck(terms, inputs)


@each_form
def test_expand_keeps_the_distribution_and_the_memory(form: tuple[str, str]) -> None:
    a = matrix_normal(form, 2, 3, ((4, 1), (3,), ()))
    b = a.expand((5, 4, 3))
    assert b.batch_shape == (5, 4, 3)
    assert b.loc.data_ptr() == a.loc.data_ptr()
    value = torch.randn(5, 4, 3, 2, 3, dtype=torch.float64)
    assert_close(b.log_prob(value), a.log_prob(value))
    assert_close(b.entropy(), a.entropy().expand(5, 4, 3))
    assert b.rsample((2,)).shape == (2, 5, 4, 3, 2, 3)
    assert b.row_covariance.shape == (5, 4, 3, 2, 2)
    assert b.variance.shape == b.stddev.shape == (5, 4, 3, 2, 3)
    for name in b.arg_constraints:
        assert getattr(b, name).shape[:3] == (5, 4, 3)
    assert Independent(a, 1).expand((6, 4)).log_prob(value[0, 0, 0]).shape == (6, 4)
    with pytest.raises(ValueError, match="right-most size of value"):
        b.log_prob(torch.zeros(4, dtype=torch.float64))


def test_expand_serves_subclasses() -> None:
    class Standard(MatrixNormal):
        def __init__(self, m: int, n: int) -> None:
            super().__init__(torch.zeros(m, n), row_scale=torch.ones(m), column_scale=torch.ones(n))

        def expand(self, batch_shape: Any, _instance: Any = None) -> MatrixNormal:
            return super().expand(batch_shape, self._get_checked_instance(Standard, _instance))

    b = Standard(2, 3).expand((4,))
    assert isinstance(b, Standard)
    assert b.sample().shape == (4, 2, 3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"row_scale": ROW}, "exactly one of column_scale and column_scale_tril, but none are given."),
        ({"column_scale": COLUMN}, "exactly one of row_scale and row_scale_tril, but none are given."),
        ({"row_scale": ROW, "row_scale_tril": torch.eye(2), "column_scale": COLUMN}, "but both are given."),
        (
            {"row_scale": COLUMN, "column_scale": COLUMN},
            "row_scale has shape [3], but loc [4, 2, 3] wants [*B, m] with m = 2.",
        ),
        (
            {"row_scale": ROW, "column_scale_tril": torch.ones(3, 2)},
            "column_scale_tril has shape [3, 2], but loc [4, 2, 3] wants [*B, n, n] with n = 3.",
        ),
        ({"row_scale": ROW, "column_scale_tril": COLUMN}, "column_scale_tril has shape [3], but"),
        ({"row_scale": torch.tensor(1.0), "column_scale": COLUMN}, "row_scale has shape [], but"),
        (
            {"row_scale": torch.ones(5, 2), "column_scale": COLUMN},
            "The batch shapes do not broadcast: loc [4], row_scale [5], column_scale [].",
        ),
        (
            {"row_scale": ROW, "column_scale_tril": torch.eye(3), "column_correlation": torch.tensor(0.5)},
            "column_scale_tril has its correlations already",
        ),
    ],
)
def test_wrong_arguments_are_named_in_one_line(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        MatrixNormal(ZEROS, **parameters)
    assert "\n" not in str(caught.value)


def test_a_mean_without_two_dimensions_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("loc has shape [3], but MatrixNormal wants [*B, m, n].")):
        MatrixNormal(torch.zeros(3), row_scale=torch.ones(3), column_scale=COLUMN)


@pytest.mark.parametrize(
    "wrong",
    [
        {"row_scale": -ROW, "column_scale": COLUMN},
        {"row_scale": ROW, "column_scale": 0 * COLUMN},
        {"row_scale_tril": torch.ones(2, 2), "column_scale": COLUMN},
        {"row_scale": ROW, "column_scale_tril": -torch.eye(3)},
        {"row_scale": ROW, "column_scale": COLUMN * torch.nan},
        {"row_scale": ROW, "column_scale": COLUMN, "column_correlation": torch.tensor(1.0)},
    ],
)
def test_values_out_of_range_are_refused_when_validating(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^(row|column)_[a-z_]+ holds .*, but a .*\.$") as caught:
        MatrixNormal(ZEROS, **wrong, validate_args=True)
    assert "\n" not in str(caught.value)
    MatrixNormal(ZEROS, **wrong, validate_args=False)


def test_constraints_name_what_was_given() -> None:
    a = MatrixNormal(ZEROS, row_scale=ROW, column_scale_tril=torch.eye(3), validate_args=True)
    assert list(a.arg_constraints) == ["loc", "row_scale", "column_scale_tril"]
    assert a.row_scale_tril is None and a.column_scale is None
    support: Any = MatrixNormal.support
    assert a.has_rsample and support.event_dim == 2 and not constraints.is_dependent(support)
    with pytest.raises(ValueError, match="within the support"):
        a.log_prob(ZEROS + torch.nan)
    with pytest.raises(ValueError, match="row_scale"):
        MatrixNormal(ZEROS + torch.nan, row_scale=ROW, column_scale=COLUMN, validate_args=True)


@each_form
def test_deepcopy_is_the_same_distribution(form: tuple[str, str]) -> None:
    a = matrix_normal(form, 2, 3, ((4,), (), (4,)))
    b = copy.deepcopy(a)
    assert b.loc.data_ptr() != a.loc.data_ptr()
    assert_close(b.log_prob(a.loc), a.log_prob(a.loc))


@each_form
def test_float32_is_close_to_float64(form: tuple[str, str]) -> None:
    parameters = arguments(form, 5, 3, ((4,), (), (4,)))
    value = torch.randn(4, 5, 3, dtype=torch.float64)
    a = MatrixNormal(**parameters)
    b = MatrixNormal(**{name: tensor.float() for name, tensor in parameters.items()})
    assert b.rsample().dtype == b.entropy().dtype == b.variance.dtype == torch.float32
    assert_close(b.log_prob(value.float()).double(), a.log_prob(value), rtol=1e-4, atol=1e-4)
    assert_close(b.entropy().double(), a.entropy(), rtol=1e-5, atol=1e-5)
    mixed = MatrixNormal(**{**parameters, "loc": parameters["loc"].float()})
    assert mixed.loc.dtype == mixed.rsample().dtype == mixed.log_prob(value).dtype == torch.float64


@each_form
def test_nothing_of_the_size_of_the_dense_covariance_is_made(form: tuple[str, str]) -> None:
    tensors = {name: tensor.requires_grad_() for name, tensor in arguments(form, 64, 64, ((2,), (), ())).items()}
    with LargestTensor() as largest:
        a = MatrixNormal(**tensors)
        total = a.log_prob(a.rsample()).sum() + a.entropy().sum() + a.variance.sum()
        (total + a.row_covariance.sum() + a.column_covariance.sum()).backward()
    assert 0 < largest.numel <= 2 * 64 * 64
    assert all(tensor.grad is not None and tensor.grad.isfinite().all() for tensor in tensors.values())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_form
def test_cuda_agrees_with_the_cpu(form: tuple[str, str]) -> None:
    parameters = arguments(form, 3, 5, ((4,), (), (4,)))
    a = MatrixNormal(**parameters)
    b = MatrixNormal(**{name: tensor.cuda() for name, tensor in parameters.items()})
    assert b.rsample().is_cuda
    assert_close(b.log_prob(a.loc.cuda() + 1).cpu(), a.log_prob(a.loc + 1))
    assert_close(b.entropy().cpu(), a.entropy())
