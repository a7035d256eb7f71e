"""What every latent promises: shapes, gradients, and a closed-form KL that Monte Carlo agrees with."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, is_dataclass

import pytest
import torch
from torch.distributions import Distribution, kl_divergence
from torch.testing import assert_close

from spatialvae.latents import LATENTS, AbstractLatent, parse_latent
from spatialvae.priors import standard_normal
from tests.distributions.forms import LargestTensor
from tests.latents.cases import CASES, outputs, spelled

DRAWS = 20_000
SIGMAS = 5.5  # of a Monte Carlo mean: one false alarm in many millions

every_latent = pytest.mark.parametrize("latent", CASES, ids=spelled)


def prior(latent: AbstractLatent, dtype: torch.dtype = torch.float64) -> Distribution:
    return standard_normal(latent.event_shape, dtype=dtype)


@every_latent
@pytest.mark.parametrize("batch", [1, 4])
def test_shapes(latent: AbstractLatent, batch: int) -> None:
    q = latent.distribution(outputs(latent, batch))
    assert q.batch_shape == (batch,)
    assert q.event_shape == latent.event_shape == (latent.maps, latent.height, latent.width)
    assert latent.numbers == math.prod(latent.event_shape)
    assert latent.encoder_outputs == sum(math.prod(shape) for shape in latent.shapes.values())
    assert q.rsample().shape == q.mean.shape == q.stddev.shape == (batch, *latent.event_shape)
    assert q.rsample(torch.Size([2, 3])).shape == (2, 3, batch, *latent.event_shape)
    assert q.log_prob(q.sample()).shape == kl_divergence(q, prior(latent)).shape == (batch,)


@every_latent
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keeps_the_dtype(latent: AbstractLatent, dtype: torch.dtype) -> None:
    q = latent.distribution(outputs(latent, dtype=dtype))
    assert q.rsample().dtype == dtype
    assert kl_divergence(q, prior(latent, dtype)).dtype == dtype


@every_latent
def test_kl_to_the_prior_is_that_of_monte_carlo(latent: AbstractLatent) -> None:
    q, p = latent.distribution(outputs(latent, batch=2)), prior(latent)
    with torch.no_grad():
        z = q.sample(torch.Size([DRAWS]))
        ratio = q.log_prob(z) - p.log_prob(z)
        error = (ratio.mean(0) - kl_divergence(q, p)).abs()
        assert (error < SIGMAS * ratio.std(0) / math.sqrt(DRAWS)).all()


@every_latent
def test_samples_have_the_moments(latent: AbstractLatent) -> None:
    q = latent.distribution(outputs(latent, batch=2))
    with torch.no_grad():
        z = q.sample(torch.Size([DRAWS]))
        standard_error = q.stddev / math.sqrt(DRAWS)
        assert ((z.mean(0) - q.mean).abs() < SIGMAS * standard_error).all()
        assert ((z.std(0) - q.stddev).abs() < SIGMAS * standard_error).all()


@every_latent
def test_the_kl_is_nothing_at_the_prior_and_positive_elsewhere(latent: AbstractLatent) -> None:
    at_prior = {name: torch.zeros(1, *shape) for name, shape in latent.shapes.items()}
    at_prior |= {name: torch.zeros(shape) for name, shape in latent.shared_shapes.items()}
    assert_close(
        kl_divergence(latent.distribution(at_prior), prior(latent, torch.float32)), torch.zeros(1), atol=1e-6, rtol=0
    )
    assert (kl_divergence(latent.distribution(outputs(latent)), prior(latent)) > 0).all()


@every_latent
@pytest.mark.parametrize("through", ["sample", "kl"])
def test_gradients_reach_every_output(latent: AbstractLatent, through: str) -> None:
    raw = outputs(latent)
    q = latent.distribution(raw)
    loss = q.rsample().square().sum() if through == "sample" else kl_divergence(q, prior(latent)).sum()
    loss.backward()
    for name, value in raw.items():
        assert value.grad is not None, name
        assert torch.isfinite(value.grad).all(), name
        assert (value.grad != 0).all(), name


@every_latent
def test_images_do_not_mix(latent: AbstractLatent) -> None:
    raw = {name: value.detach() for name, value in outputs(latent, batch=3).items()}
    whole = kl_divergence(latent.distribution(raw), prior(latent))

    def one(i: int) -> dict[str, torch.Tensor]:
        return {name: value if name in latent.shared_shapes else value[[i]] for name, value in raw.items()}

    alone = [kl_divergence(latent.distribution(one(i)), prior(latent)) for i in range(3)]
    assert_close(torch.cat(alone), whole)


@every_latent
def test_finite_in_float32_far_out(latent: AbstractLatent) -> None:
    raw = outputs(latent, batch=50, spread=3.0, dtype=torch.float32)
    q = latent.distribution(raw)
    terms = torch.stack([kl_divergence(q, prior(latent, torch.float32)), q.log_prob(q.rsample())])
    assert torch.isfinite(terms).all()
    terms.sum().backward()
    assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in raw.values())


@every_latent
def test_is_data(latent: AbstractLatent) -> None:
    assert is_dataclass(latent)
    with pytest.raises(FrozenInstanceError):
        latent.maps = 7  # pyright: ignore[reportAttributeAccessIssue]
    assert LATENTS.name_of(latent) is None or parse_latent(LATENTS.spell(latent)) == latent
    assert latent.description
    assert latent.equation


@every_latent
def test_float32_is_close_to_float64(latent: AbstractLatent) -> None:
    raw = {name: value.detach() for name, value in outputs(latent).items()}
    q = latent.distribution(raw)
    single = latent.distribution({name: value.float() for name, value in raw.items()})
    assert_close(
        kl_divergence(single, prior(latent, torch.float32)).double(),
        kl_divergence(q, prior(latent)),
        rtol=1e-4,
        atol=1e-4,
    )
    z = q.sample()
    assert_close(single.log_prob(z.float()).double(), q.log_prob(z), rtol=1e-4, atol=1e-3)


@every_latent
def test_works_without_a_batch(latent: AbstractLatent) -> None:
    # As a learned prior: one distribution for all images.
    raw = {name: value[0] if name in latent.shapes else value for name, value in outputs(latent, batch=1).items()}
    distribution = latent.distribution(raw)
    assert distribution.batch_shape == ()
    assert distribution.sample(torch.Size([2])).shape == (2, *latent.event_shape)


@every_latent
@pytest.mark.parametrize("log_scale", [-6.9, 3.45])  # products of two, 1e-6 and (by the tangent) some 1e3
def test_extreme_scales_are_finite(latent: AbstractLatent, log_scale: float) -> None:
    raw = {name: value.detach() for name, value in outputs(latent, dtype=torch.float32).items()}
    raw |= {name: torch.full_like(value, log_scale) for name, value in raw.items() if name.endswith("scale")}
    q = latent.distribution({name: value.requires_grad_() for name, value in raw.items()})
    terms = torch.stack([kl_divergence(q, prior(latent, torch.float32)), q.log_prob(q.rsample())])
    assert torch.isfinite(terms).all()
    terms.sum().backward()
    assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in raw.values())


@pytest.mark.parametrize(
    "spec",
    [
        "naive",
        "matrix-normal:covariance=ar1",
        "matrix-normal:covariance=full",
        "low-rank:rank=3,covariance=full",
        "tensor-normal:covariance=full",
    ],
)
def test_large_maps_make_nothing_of_the_size_of_their_covariance(spec: str) -> None:
    latent = parse_latent(spec, (4, 64, 64))
    raw = outputs(latent, batch=2, spread=0.05, dtype=torch.float32)
    with LargestTensor() as largest:
        q = latent.distribution(raw)
        (kl_divergence(q, prior(latent, torch.float32)) + q.rsample().square().sum()).sum().backward()
    assert 0 < largest.numel <= 4 * 2 * latent.numbers


@every_latent
def test_posteriors_and_priors_of_all_distributions_have_a_divergence(latent: AbstractLatent) -> None:
    q = latent.distribution(outputs(latent, batch=3))
    for name in LATENTS:
        if name == "vector":
            continue
        other = parse_latent(name, latent.event_shape)
        raw = outputs(other, batch=1)
        p = other.distribution({key: value[0] if key in other.shapes else value for key, value in raw.items()})
        with torch.no_grad():
            z = q.sample(torch.Size([DRAWS]))
            ratio = q.log_prob(z) - p.log_prob(z)
            error = (ratio.mean(0) - kl_divergence(q, p)).abs()
        assert (error < SIGMAS * ratio.std(0) / math.sqrt(DRAWS)).all(), name


def test_the_table_is_in_the_papers_order() -> None:
    assert list(LATENTS)[:4] == ["vector", "naive", "matrix-normal", "low-rank"]
