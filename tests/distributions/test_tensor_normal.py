"""TensorNormal with three sides (and one) against the dense multivariate normal, Monte Carlo and its own parts."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch.autograd import gradcheck
from torch.distributions import Distribution, Independent, Laplace, Normal, kl_divergence
from torch.testing import assert_close

from spatialvae.distributions import (
    AutoregressiveFactor,
    DiagonalFactor,
    MatrixNormal,
    TensorNormal,
    TriangularFactor,
)
from tests.distributions.forms import (
    SIDES,
    THREE,
    LargestTensor,
    dense,
    dense_covariance,
    factor,
    matrix_normal,
    tensor_normal,
)

each_form = pytest.mark.parametrize("form", [*THREE, *((side,) for side in SIDES)], ids="-".join)
each_side = pytest.mark.parametrize("side", SIDES)
SIZES = (4, 2, 3)


def some(form: Sequence[str], batch: bool = True) -> TensorNormal:
    """A random matrix_normal, the first side without a batch as when all images share it."""
    shapes = [(5, 2), (), *[(2,)] * (len(form) - 1)] if batch else None
    return tensor_normal(form, SIZES[-len(form) :], shapes)


def stack() -> Independent:
    """Independent slices along the first side, each a matrix normal of its own."""
    return Independent(matrix_normal(("scale_tril", "scale"), 2, 3, ((4,), (4,), (4,))), 1)


def sites() -> Independent:
    scale = torch.rand(*SIZES, dtype=torch.float64) + 0.5
    return Independent(Independent(Normal(torch.randn(*SIZES, dtype=torch.float64), scale), 2), 1)


@each_side
@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_a_factor_is_a_square_root(side: str, size: int) -> None:
    one = factor(side, (3,), size)
    covariance, matrix = dense_covariance(one), torch.randn(3, size, 2, dtype=torch.float64)
    lower = torch.linalg.cholesky(covariance)
    assert_close(one.tril(), lower)
    assert_close(one.covariance(), covariance)
    assert_close(one.multiply(matrix), lower @ matrix)
    assert_close(one.solve(one.multiply(matrix)), matrix)
    assert_close(one.log_determinant(), 0.5 * covariance.logdet())
    assert_close(one.squared_norm(), covariance.diagonal(dim1=-2, dim2=-1).sum(-1))
    assert_close(one.inverse_stddev(), covariance.inverse().diagonal(dim1=-2, dim2=-1).sqrt())
    assert_close(one.scaled(torch.tensor([1.0, 2.0, 3.0]).double()).tril()[1], 2 * lower[1])


@each_form
def test_dense_normal_agrees(form: tuple[str, ...]) -> None:
    a = some(form)
    oracle = dense(a)
    k = len(form)
    assert a.batch_shape == oracle.batch_shape == (5, 2)
    value = torch.randn(7, *a.batch_shape, *a.event_shape, dtype=torch.float64)
    assert_close(a.log_prob(value), oracle.log_prob(value.flatten(-k)))
    assert_close(a.entropy(), oracle.entropy())
    assert_close(a.variance.flatten(-k), oracle.variance)
    assert_close(a.to_multivariate_normal().covariance_matrix, oracle.covariance_matrix)
    other = some(form)
    assert_close(kl_divergence(a, other), kl_divergence(oracle, dense(other)), rtol=1e-7, atol=1e-7)


@each_form
def test_samples_have_the_moments_of_the_distribution(form: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    a = some(form, batch=False)
    draws = a.sample(torch.Size([200_000])).flatten(1)
    wanted = dense(a)
    scale = wanted.stddev.outer(wanted.stddev)
    assert_close(draws.mean(0) / wanted.stddev, wanted.mean / wanted.stddev, atol=0.02, rtol=0)
    assert_close(draws.T.cov() / scale, wanted.covariance_matrix / scale, atol=0.02, rtol=0)


PAIRS: list[tuple[str, Any, Any]] = [
    ("to sites", lambda: some(THREE[1], batch=False), sites),
    ("from sites", sites, lambda: some(THREE[1], batch=False)),
    ("to slices", lambda: some(THREE[0], batch=False), stack),
    ("to slices, all full", lambda: some(THREE[1], batch=False), stack),
    ("from slices", stack, lambda: some(THREE[1], batch=False)),
    ("from slices, diagonal", stack, lambda: some(THREE[2], batch=False)),
]


def flat(distribution: Distribution) -> torch.distributions.MultivariateNormal:
    """The dense distribution of a code of four maps, whatever its parts."""
    if isinstance(distribution, TensorNormal):
        return dense(distribution)
    base: Any = distribution
    while isinstance(base, Independent):
        base = base.base_dist
    if isinstance(base, Normal):
        return torch.distributions.MultivariateNormal(base.loc.flatten(), scale_tril=base.scale.flatten().diag())
    parts = [dense(base.expand((4,))).covariance_matrix[i] for i in range(4)]
    return torch.distributions.MultivariateNormal(base.loc.flatten(), covariance_matrix=torch.block_diag(*parts))


@pytest.mark.parametrize(("q", "p"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
def test_divergence_with_independent_parts(q: Any, p: Any) -> None:
    torch.manual_seed(1)
    one, other = q(), p()
    assert_close(kl_divergence(one, other), kl_divergence(flat(one), flat(other)), rtol=1e-8, atol=1e-8)
    draws = one.sample(torch.Size([20_000]))
    difference = one.log_prob(draws) - other.log_prob(draws)
    assert (kl_divergence(one, other) - difference.mean()).abs() < 5 * difference.std() / len(difference) ** 0.5


def test_slices_of_a_batch() -> None:
    q, p = some(THREE[0]), stack()
    first, *rest = q.sides

    def alone(i: int, j: int) -> torch.Tensor:
        return kl_divergence(TensorNormal(q.loc[i, j], [first, *(side.map(lambda t: t[j]) for side in rest)]), p)

    wanted = torch.stack([torch.stack([alone(i, j) for j in range(2)]) for i in range(5)])
    assert_close(kl_divergence(q, p), wanted)


def test_matrix_normal_is_the_case_of_two_sides() -> None:
    torch.manual_seed(2)
    a = matrix_normal(("scale_tril", "correlation"), 3, 4)
    same = TensorNormal(a.loc, a.sides)
    value = torch.randn(6, 3, 4, dtype=torch.float64)
    assert isinstance(a, TensorNormal)
    assert_close(same.log_prob(value), a.log_prob(value), rtol=0, atol=0)
    assert_close(kl_divergence(same, a), torch.zeros((), dtype=torch.float64), atol=1e-10, rtol=0)
    assert_close(MatrixNormal.of_sides(a.loc, *a.sides).log_prob(value), a.log_prob(value), rtol=0, atol=0)


@each_form
def test_gradients_reach_every_parameter(form: tuple[str, ...]) -> None:
    a, value = some(form, batch=False), torch.randn(SIZES[-len(form) :], dtype=torch.float64)
    names = [list(side.parameters) for side in a.sides]
    kinds = [type(side) for side in a.sides]

    def terms(loc: torch.Tensor, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        torch.manual_seed(1)
        given = iter(t.tril() if t.dim() == 2 else t for t in tensors)
        sides = [kind(*(next(given) for _ in one)) for kind, one in zip(kinds, names, strict=True)]
        b = TensorNormal(loc, sides, validate_args=False)
        return b.log_prob(value), b.entropy(), b.rsample(), kl_divergence(b, a), kl_divergence(a, b)

    given = [tensor.detach().clone() for side in a.sides for tensor in side.parameters.values()]
    assert gradcheck(terms, tuple(t.requires_grad_() for t in [a.loc.clone(), *given]))


@each_form
def test_expand_and_copy_keep_the_distribution(form: tuple[str, ...]) -> None:
    a = some(form)
    b = a.expand(torch.Size([3, 5, 2]))
    value = torch.randn(5, 2, *a.event_shape, dtype=torch.float64)
    assert b.batch_shape == (3, 5, 2)
    assert_close(b.log_prob(value), a.log_prob(value).expand(3, 5, 2))
    assert b.rsample().shape == (3, *value.shape)
    assert_close(copy.deepcopy(a).log_prob(value), a.log_prob(value))


@each_form
@pytest.mark.parametrize("amount", [1e-6, 1e3])
def test_float32_is_close_to_float64_at_any_scale(form: tuple[str, ...], amount: float) -> None:
    torch.manual_seed(3)
    a = some(form, batch=False)
    first = a.sides[0].scaled(torch.tensor(amount, dtype=torch.float64))
    wide = TensorNormal(a.loc, [first, *a.sides[1:]])
    narrow = TensorNormal(a.loc.float(), [side.map(lambda t: t.float()) for side in wide.sides])
    p = TensorNormal(torch.zeros_like(a.loc), [factor("scale", (), size) for size in a.event_shape])
    single = TensorNormal(p.loc.float(), [side.map(lambda t: t.float()) for side in p.sides])
    assert_close(kl_divergence(narrow, single).double(), kl_divergence(wide, p), rtol=1e-4, atol=1e-4)
    assert_close(narrow.entropy().double(), wide.entropy(), rtol=1e-4, atol=1e-4)
    assert narrow.rsample().dtype == torch.float32


def test_nothing_of_the_size_of_the_dense_covariance_is_made() -> None:
    q = tensor_normal(("scale_tril", "correlation", "scale_tril"), (16, 64, 64), [(2,), (), (2,), (2,)])
    p = tensor_normal(("scale_tril", "scale_tril", "correlation"), (16, 64, 64))
    with LargestTensor() as largest:
        assert (kl_divergence(q, p) + q.log_prob(q.rsample()) + q.entropy()).isfinite().all()
    assert 0 < largest.numel <= 2 * 2 * 16 * 64 * 64


@pytest.mark.parametrize(
    ("loc", "sides", "message"),
    [
        ((2, 3), [], "0 sides are given: 1 to 2 are possible"),
        ((2,), [DiagonalFactor(torch.ones(2))] * 2, "2 sides are given: 1 to 1"),
        ((2, 3), [DiagonalFactor(torch.ones(3))] * 2, "side 0: the factor has size 3, but loc [2, 3] wants 2 there."),
        (
            (2, 3),
            [DiagonalFactor(torch.ones(4, 2)), DiagonalFactor(torch.ones(5, 3))],
            "do not broadcast: loc [], side 0",
        ),
        ((1,), [DiagonalFactor(torch.tensor([-2.0]))], "side 0: scale holds -2, but a standard deviation is positive"),
        (
            (2,),
            [TriangularFactor(torch.ones(2, 2))],
            "side 0: scale_tril holds [[1.0, 1.0], [1.0, 1.0]], but a factor is",
        ),
        ((2,), [AutoregressiveFactor(torch.ones(2), torch.tensor(1.5))], "side 0: correlation holds 1.5, but a corr"),
    ],
)
def test_wrong_arguments_are_named_in_one_line(loc: tuple[int, ...], sides: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        TensorNormal(torch.zeros(loc), sides, validate_args=True)
    assert "\n" not in str(caught.value)


def test_other_distributions_are_left_to_torch() -> None:
    q = some(THREE[0], batch=False)
    laplace = Independent(Laplace(torch.zeros(SIZES), torch.ones(SIZES)), 3)
    with pytest.raises(NotImplementedError, match="not for 3 of Laplace"):
        kl_divergence(q, laplace)
    with pytest.raises(NotImplementedError, match="not for 3 of Laplace"):
        kl_divergence(laplace, q)
    with pytest.raises(ValueError, match="equal events"):
        kl_divergence(q, tensor_normal(THREE[0], (4, 3, 2)))
