"""The closed-form divergences against the dense multivariate normal, Monte Carlo and the paper's formula."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.distributions import Independent, Laplace, Normal, kl_divergence
from torch.testing import assert_close

from spatialvae.distributions import MatrixNormal
from tests.distributions.forms import (
    FORMS,
    LargestTensor,
    arguments,
    batches,
    dense,
    elementwise,
    forms,
    matrix_normal,
    seeds,
    sizes,
)

few = settings(deadline=None, max_examples=25)
each_form = pytest.mark.parametrize("form", FORMS, ids="-".join)
PAIRS = [(q, p) for q in [*FORMS, None] for p in [*FORMS, None] if q or p]
each_pair = pytest.mark.parametrize("pair", PAIRS, ids=str)
Form = tuple[str, str]


def build(form: Form | None, m: int, n: int, shapes: Any = ((), (), ())) -> MatrixNormal | Independent:
    """A random distribution of the form; None stands for the elementwise normal."""
    return matrix_normal(form, m, n, shapes) if form else elementwise(m, n, *shapes[:2])


@each_pair
@settings(deadline=None, max_examples=10)
@given(m=sizes, n=sizes, shapes=batches, seed=seeds)
def test_dense_normal_agrees(pair: tuple[Form | None, Form | None], m: int, n: int, shapes: Any, seed: int) -> None:
    torch.manual_seed(seed)
    q, p = build(pair[0], m, n, shapes[:3]), build(pair[1], m, n, shapes[3:])
    result = kl_divergence(q, p)
    assert result.shape == torch.broadcast_shapes(q.batch_shape, p.batch_shape)
    assert_close(result, kl_divergence(dense(q), dense(p)), rtol=1e-7, atol=1e-7)
    assert (result > -1e-9).all()


@few
@given(form=forms, m=sizes, n=sizes, seed=seeds)
def test_a_distribution_is_at_no_distance_from_itself(form: Form, m: int, n: int, seed: int) -> None:
    torch.manual_seed(seed)
    q = matrix_normal(form, m, n)
    assert_close(kl_divergence(q, q), torch.zeros((), dtype=torch.float64), atol=1e-10, rtol=0)
    tril = MatrixNormal(
        q.loc,
        row_scale_tril=torch.linalg.cholesky(q.row_covariance * 9),
        column_scale_tril=torch.linalg.cholesky(q.column_covariance / 9),
    )
    for pair in ((q, tril), (tril, q)):
        assert_close(kl_divergence(*pair), torch.zeros((), dtype=torch.float64), atol=1e-9, rtol=0)


@few
@given(form=forms, m=sizes, n=sizes, seed=seeds)
def test_the_papers_formula_for_a_standard_normal_prior(form: Form, m: int, n: int, seed: int) -> None:
    torch.manual_seed(seed)
    q = matrix_normal(form, m, n)
    p = Independent(Normal(torch.zeros(m, n), torch.ones(())), 2)
    omega, psi = q.row_covariance, q.column_covariance
    trace = omega.trace() * psi.trace() + q.loc.square().sum()
    wanted = 0.5 * (trace - m * n - n * omega.logdet() - m * psi.logdet())
    assert_close(kl_divergence(q, p), wanted)


@few
@given(form=forms, m=sizes, n=sizes, shapes=batches, seed=seeds)
def test_one_expanded_scale_is_the_same_normal(form: Form, m: int, n: int, shapes: Any, seed: int) -> None:
    torch.manual_seed(seed)
    q, p = matrix_normal(form, m, n, shapes[:3]), elementwise(m, n, *shapes[3:5])
    scale = p.stddev[..., :1, :1]
    one = Independent(Normal(p.mean, scale.expand(p.mean.shape)), 2)
    each = Independent(Normal(p.mean, scale.expand(p.mean.shape).clone()), 2)
    assert_close(kl_divergence(q, one), kl_divergence(q, each))
    learned = scale.clone().requires_grad_()
    prior = Independent(Normal(p.mean, learned.expand(p.mean.shape)), 2)
    kl_divergence(q, prior).sum().backward()
    assert learned.grad is not None and learned.grad.isfinite().all()


@pytest.mark.parametrize("pair", [(("scale", "scale"), None), (None, ("scale", "scale"))], ids=str)
def test_diagonal_sides_are_an_elementwise_normal(pair: tuple[Form | None, Form | None]) -> None:
    distributions = build(pair[0], 3, 4), build(pair[1], 3, 4)
    q, p = (Independent(Normal(a.mean, a.stddev), 2) for a in distributions)
    assert_close(kl_divergence(*distributions), kl_divergence(q, p))


@each_pair
def test_monte_carlo_agrees(pair: tuple[Form | None, Form | None]) -> None:
    q, p = build(pair[0], 2, 2), build(pair[1], 2, 2)
    draws = q.sample((20_000,))
    difference = q.log_prob(draws) - p.log_prob(draws)
    error = difference.std() / len(difference) ** 0.5
    assert (kl_divergence(q, p) - difference.mean()).abs() < 5 * error


@each_pair
def test_gradients_reach_every_parameter_twice(pair: tuple[Form | None, Form | None]) -> None:
    def parameters(form: Form | None) -> dict[str, Any]:
        if form:
            return arguments(form, 2, 3)
        normal = elementwise(2, 3)
        return {"loc": normal.mean, "scale": normal.stddev}

    q, p = (parameters(form) for form in pair)

    def divergence(*tensors: Tensor) -> Tensor:
        distributions = []
        for form, names in ((pair[0], list(q)), (pair[1], list(p))):
            given, tensors = tensors[: len(names)], tensors[len(names) :]
            # tril: finite differences would otherwise step outside the triangle.
            named = {k: t.tril() if k.endswith("tril") else t for k, t in zip(names, given, strict=True)}
            make = MatrixNormal if form else Normal
            made = make(**named, validate_args=False)
            distributions.append(made if form else Independent(made, 2))
        return kl_divergence(*distributions)

    inputs = tuple(tensor.requires_grad_() for tensor in [*q.values(), *p.values()])
    assert gradcheck(divergence, inputs)
    assert gradgradcheck(divergence, inputs)


def test_a_stack_of_maps_works_inside_independent() -> None:
    q = matrix_normal(("scale", "scale"), 2, 3, ((5, 4), (5, 4), (5, 4)))
    p = elementwise(2, 3, (4,), ())
    other = matrix_normal(("scale_tril", "scale"), 2, 3, ((4,), (), ()))
    for prior in (p, other):
        whole = kl_divergence(Independent(q, 1), Independent(prior, 1))
        assert whole.shape == (5,)
        assert_close(whole, kl_divergence(q, prior).sum(-1))


def test_other_distributions_are_left_to_torch() -> None:
    q = matrix_normal(("scale", "scale"), 2, 3)
    laplace = Independent(Laplace(torch.zeros(2, 3), torch.ones(2, 3)), 2)
    rows = Independent(Normal(torch.zeros(2, 3), torch.ones(2, 3)), 1)
    for other in (laplace, rows):
        with pytest.raises(NotImplementedError, match=r"is known for Independent\(Normal, 2\)"):
            kl_divergence(q, other)
        with pytest.raises(NotImplementedError, match=r"is known for Independent\(Normal, 2\)"):
            kl_divergence(other, q)
    with pytest.raises(NotImplementedError):
        kl_divergence(q, Normal(torch.zeros(2, 3), torch.ones(2, 3)))


@pytest.mark.parametrize("form", [*FORMS, None], ids=str)
def test_events_of_different_shape_are_refused(form: Form | None) -> None:
    q, p = matrix_normal(("scale", "scale"), 2, 3), build(form, 3, 2)
    with pytest.raises(ValueError, match=r"q has \[2, 3\] and p has \[3, 2\]"):
        kl_divergence(q, p)
    with pytest.raises(ValueError, match=r"q has \[3, 2\] and p has \[2, 3\]"):
        kl_divergence(p, q)


@each_form
def test_float32_is_close_to_float64(form: Form) -> None:
    first, second = arguments(form, 5, 3), arguments(("scale_tril", "scale"), 5, 3)
    q, p = MatrixNormal(**first), MatrixNormal(**second)
    single = [MatrixNormal(**{k: t.float() for k, t in each.items()}) for each in (first, second)]
    result = kl_divergence(*single)
    assert result.dtype == torch.float32
    assert_close(result.double(), kl_divergence(q, p), rtol=1e-4, atol=1e-4)


GAUGES = [1e-20, 1e20]


def regauged(distribution: Any, amount: float, dtype: torch.dtype) -> Any:
    """The same distribution with rows scaled by `amount` and columns by its inverse, in another number format."""
    if isinstance(distribution, Independent):
        return Independent(Normal(distribution.mean.to(dtype), distribution.stddev.to(dtype)), 2)
    row, column = (side.map(lambda tensor: tensor.to(dtype)) for side in distribution.sides)
    share = torch.tensor(amount, dtype=dtype)
    return MatrixNormal.of_sides(distribution.loc.to(dtype), row.scaled(share), column.scaled(1 / share))


@each_pair
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("gauge", GAUGES)
def test_a_divergence_does_not_depend_on_the_gauge(
    pair: tuple[Form | None, Form | None], dtype: torch.dtype, gauge: float
) -> None:
    q, p = build(pair[0], 3, 4), build(pair[1], 3, 4)
    slack = 1e-4 if dtype == torch.float32 else 1e-10
    wanted = kl_divergence(q, p)
    for amounts in ((gauge, 1.0), (1.0, gauge), (gauge, gauge), (gauge, 1 / gauge)):
        distributions = [
            regauged(distribution, amount, dtype) for distribution, amount in zip((q, p), amounts, strict=True)
        ]
        assert_close(kl_divergence(*distributions).double(), wanted, rtol=slack, atol=slack)


@each_form
@pytest.mark.parametrize("gauge", GAUGES)
def test_the_divergence_to_a_standard_normal_keeps_its_gradients_in_any_gauge(form: Form, gauge: float) -> None:
    q = matrix_normal(form, 3, 4)
    zero, one = (torch.full((), value).expand(3, 4) for value in (0.0, 1.0))  # as the models' prior is made
    results = []
    for amount, dtype in ((1.0, torch.float64), (gauge, torch.float32)):
        other = regauged(q, amount, dtype)
        sides = [side.map(lambda tensor: tensor.detach().requires_grad_()) for side in other.sides]
        with_leaves = MatrixNormal.of_sides(other.loc, *sides)
        kl_divergence(with_leaves, Independent(Normal(zero, one), 2)).backward()
        scales = [next(iter(side.parameters.values())) for side in sides]
        assert all(scale.grad is not None for scale in scales)
        results.append([(scale.grad * scale).detach().double() for scale in scales])  # the gauge drops out
    for wanted, got in zip(*results, strict=True):
        assert_close(got, wanted, rtol=1e-4, atol=1e-4)


@each_pair
def test_nothing_of_the_size_of_the_dense_covariance_is_made(pair: tuple[Form | None, Form | None]) -> None:
    q, p = (build(form, 64, 64, ((2,), (), ())) for form in pair)
    for tensor in (q.mean, p.mean):
        tensor.requires_grad_()
    with LargestTensor() as largest:
        kl_divergence(q, p).sum().backward()
    assert 0 < largest.numel <= 2 * 64 * 64


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_form
def test_cuda_agrees_with_the_cpu(form: Form) -> None:
    first, second = arguments(form, 3, 5), arguments(("scale_tril", "scale"), 3, 5)
    cuda = [MatrixNormal(**{k: t.cuda() for k, t in each.items()}) for each in (first, second)]
    assert_close(kl_divergence(*cuda).cpu(), kl_divergence(MatrixNormal(**first), MatrixNormal(**second)))
