"""Models in float64, float16 and bfloat16: images are cast to the weights' format, densities keep their digits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import kl_divergence
from torch.testing import assert_close

from spatialvae.config import EvaluationConfig
from spatialvae.latents import LATENTS
from spatialvae.likelihoods import LIKELIHOODS
from spatialvae.metrics import evaluate
from spatialvae.model import SpatialVAE
from spatialvae.priors import FlowFamily, FlowMatchingFamily
from tests.priors.gaussians import gaussian
from tests.test_model import pictures, small
from tests.training.tiny import tiny_data

SLACK = {torch.float64: 1e-4, torch.float32: 1e-4, torch.float16: 0.1, torch.bfloat16: 1.0}
"""Nats of a picture of 64 pixels, by the digits of the weights."""
each_format = pytest.mark.parametrize("dtype", list(SLACK), ids=str)
SPECS = [*LATENTS, "tensor-normal:covariance=full", "matrix-normal:covariance=ar1"]


def with_priors(model: SpatialVAE) -> SpatialVAE:
    """The model with a prior of every kind that an untrained one can have."""
    distribution = gaussian(torch.randn(model.latent.event_shape))
    flow, matched = FlowFamily(couplings=2, width=16), FlowMatchingFamily(width=16, blocks=1, steps=2)
    model.priors.update(
        {"gaussian": distribution, "flow": flow.start(distribution, 0), "flow-matching": matched.start(distribution, 0)}
    )
    return model


def densities(model: SpatialVAE, images: Tensor, codes: Tensor) -> dict[str, Tensor]:
    """All that is a density or a divergence, of given codes."""
    posterior, pixels = model.encode(images), model.decode(codes)
    return {
        "kl": kl_divergence(posterior, model.prior()),
        "entropy": posterior.entropy(),
        "log_prob": pixels.log_prob(images.double()),
        "log_mass": pixels.log_mass(images.double()),
        "prior": model.prior().log_prob(codes),
        "gaussian": model.prior("gaussian").log_prob(codes),
        "flow": model.prior("flow").log_prob(codes),
        "flow-matching": model.prior("flow-matching").log_prob(codes),
    }


@each_format
@pytest.mark.parametrize("latent", SPECS)
@torch.no_grad()
def test_every_latent_in_every_format(latent: str, dtype: torch.dtype) -> None:
    model, images = with_priors(small(latent=latent, prior="learned")), pictures()
    floats = images.double() / 127.5 - 1
    codes = model.encode(images).sample()
    wanted = {name: value.double() for name, value in densities(model.double(), floats, codes.double()).items()}
    model = model.to(dtype)
    for given in (images, floats, floats.float(), floats.to(dtype)):
        posterior = model.encode(given)
        least = torch.promote_types(dtype, torch.float32)
        assert posterior.mean.dtype == model.decode(codes).mean.dtype == model.elbo(given).bound.dtype == least
        assert model.elbo(given).bound.isfinite().all()
        assert model.reconstruct(given).dtype == torch.uint8
    for name, value in densities(model, floats, codes).items():
        assert_close(value.double(), wanted[name], rtol=SLACK[dtype] / 10, atol=SLACK[dtype], msg=name)
    for prior in (None, "standard", *model.priors):
        assert model.sample(2, seed=0, prior=prior).shape == (2, 1, 8, 8)


@each_format
@pytest.mark.parametrize("likelihood", list(LIKELIHOODS))
@torch.no_grad()
def test_every_likelihood_in_every_format(likelihood: str, dtype: torch.dtype) -> None:
    model, images = with_priors(small(latent="naive", likelihood=likelihood)), pictures()
    floats, codes = images.double() / 127.5 - 1, torch.randn(4, 2, 3, 3)
    wanted = model.double().decode(codes).log_mass(floats)
    # One scale for all pixels, rounded to the weights' digits, moves all of them the same way.
    assert_close(model.to(dtype).decode(codes).log_mass(floats).double(), wanted, rtol=SLACK[dtype] / 10, atol=0)


@each_format
def test_an_evaluation_in_every_format(dtype: torch.dtype) -> None:
    model = with_priors(small(latent="matrix-normal")).to(dtype)
    evaluation = evaluate(model, tiny_data(), EvaluationConfig(generated=10, importance_samples=2))
    assert {"elbo", "nll", "bits_per_dim", "prior_gain/flow", "prior_gain/flow-matching"} <= set(evaluation.metrics)
    assert all(torch.tensor(one.value).isfinite() for one in evaluation.metrics.values())
