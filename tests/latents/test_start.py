"""Every latent starts from the same posterior, near N(0, I), and its first steps keep a sane KL."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Distribution, kl_divergence
from torch.testing import assert_close

from spatialvae.config import ModelConfig
from spatialvae.elbo import ELBO, elbo_loss
from spatialvae.latents import variants
from spatialvae.model import SpatialVAE
from tests.conftest import smooth_images

SPECS = list(variants((64, 3, 3)))


@pytest.mark.parametrize("spec", SPECS)
def test_a_new_model_encodes_near_the_prior(spec: str) -> None:
    torch.manual_seed(0)
    model = SpatialVAE.from_config(ModelConfig(latent=spec, image_size=(32, 32), map_size="3", maps=16)).train()
    images = torch.from_numpy(smooth_images(8, 3, 32, 32))
    distribution = model.encode(images)
    assert distribution.mean.abs().max() < 0.5
    assert distribution.mean.std() < 0.1
    assert_close(distribution.stddev, torch.ones_like(distribution.stddev), atol=0.6, rtol=0)
    assert model.elbo(images).kl.mean() / model.latent.numbers < 0.02


@pytest.mark.parametrize("maps", [32, pytest.param(256, marks=pytest.mark.slow)])  # 256: 67 million weights in the head
@pytest.mark.parametrize("spec", ["naive", "matrix-normal:covariance=full", "low-rank:rank=4", "tensor-normal"])
def test_large_maps_take_their_first_steps(spec: str, maps: int) -> None:
    torch.manual_seed(0)
    model = SpatialVAE.from_config(ModelConfig(latent=spec, image_size=(32, 32), map_size="16", maps=maps)).train()
    images = torch.from_numpy(smooth_images(8, 3, 32, 32))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(5):
        terms: ELBO = model(images)
        assert terms.kl.mean() / model.latent.numbers < 10
        elbo_loss(terms).backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("spec", SPECS)
def test_bf16_autocast_is_finite_and_rounds_no_divergence(spec: str) -> None:
    torch.manual_seed(0)
    model = SpatialVAE.from_config(ModelConfig(latent=spec, image_size=(16, 16), maps=4, prior="learned")).eval()
    images = torch.from_numpy(smooth_images(4, 3, 16, 16))
    assert model.learned_prior is not None
    with torch.no_grad():
        for value in model.learned_prior.parameters():
            value.add_(0.3)
    distributions: list[Distribution] = []

    def keep(_module: object, _inputs: object, distribution: Distribution) -> None:
        distributions.append(distribution)

    model.posterior.register_forward_hook(keep)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(images)
        loss = elbo_loss(rough)
    loss.backward()
    assert_close(rough.kl, kl_divergence(distributions[0], model.prior()), rtol=1e-6, atol=1e-6)
    exact = model(images)
    assert rough.kl.dtype == torch.float32
    assert_close(rough.kl, exact.kl, rtol=0.1, atol=0.01)
    assert_close(rough.bound, exact.bound, rtol=0.05, atol=1.0)
    assert all(value.grad is not None and value.grad.isfinite().all() for value in model.parameters())
