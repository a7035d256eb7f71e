"""Equation (1) and the two objectives: units, signs, and what a constant latent map changes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import kl_divergence
from torch.testing import assert_close

from spatialvae.config import ModelConfig
from spatialvae.elbo import ELBO, authors_kl_weight, elbo_loss, paper_loss
from spatialvae.likelihoods import Gaussian
from spatialvae.model import SpatialVAE


def terms(batch: int = 5) -> ELBO:
    return ELBO(reconstruction=-100 * torch.rand(batch), kl=30 * torch.rand(batch))


def test_the_kl_lowers_the_bound_and_raises_the_loss() -> None:
    some = terms()
    assert_close(some.bound, some.reconstruction - some.kl)
    assert_close(elbo_loss(some), -some.bound.mean())
    worse = some._replace(kl=some.kl + 1)
    assert_close(elbo_loss(worse) - elbo_loss(some), torch.tensor(1.0), rtol=0, atol=1e-4)
    assert paper_loss(worse, pixels=48, latents=9) > paper_loss(some, pixels=48, latents=9)


@pytest.mark.parametrize("beta", [0.0, 0.5, 4.0])
def test_beta_weighs_the_kl_alone(beta: float) -> None:
    some = terms()
    assert_close(elbo_loss(some, beta), (beta * some.kl - some.reconstruction).mean())


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.5])
def test_the_papers_loss_is_two_means(beta: float) -> None:
    images, output = torch.rand(5, 3, 4, 4) * 2 - 1, torch.randn(5, 3, 4, 4)
    kl = 20 * torch.rand(5)
    distribution = Gaussian(1.0)(output)
    loss = paper_loss(ELBO(distribution.log_prob(images), kl), pixels=48, latents=7, beta=beta)
    direct = nn.functional.mse_loss(output.tanh(), images) + beta * (kl / 7).mean()
    assert_close(loss, direct)


def test_the_papers_loss_is_the_bound_at_another_beta() -> None:
    # paper_loss = 2 / D * elbo_loss at beta = D / (2 L), up to a constant: the gradients agree.
    images, output = torch.rand(5, 3, 4, 4) * 2 - 1, torch.randn(5, 3, 4, 4, requires_grad=True)
    kl = (20 * torch.rand(5)).requires_grad_()
    gradients = []
    for loss in (
        lambda t: paper_loss(t, pixels=48, latents=7),
        lambda t: 2 / 48 * elbo_loss(t, authors_kl_weight(48, 7)),
    ):
        gradients.append(torch.autograd.grad(loss(ELBO(Gaussian(1.0)(output).log_prob(images), kl)), [output, kl]))
    for first, second in zip(*gradients, strict=True):
        assert_close(first, second)


def test_the_kl_weights_of_the_released_code() -> None:
    pixels = 64 * 64 * 3
    assert authors_kl_weight(pixels, 81) == pytest.approx(75.85, abs=0.01)
    assert authors_kl_weight(pixels, 576) == pytest.approx(10.67, abs=0.01)
    # Of a mean squared error, a bound with half that variance: 152 and 21.
    assert [round(2 * authors_kl_weight(pixels, latents)) for latents in (81, 576)] == [152, 21]


def with_a_constant_map(model: SpatialVAE) -> SpatialVAE:
    """The same naive model with one more map, which is N(0, I) for every image and which the decoder ignores."""
    maps = model.latent.maps
    config = model.config.model_copy(update={"maps": maps + 1})
    wider = SpatialVAE.from_config(config)
    state = model.state_dict()
    sites = model.latent.height * model.latent.width

    def widened(name: str, value: Tensor) -> Tensor:
        if name.startswith("posterior.projection"):
            blocks = value.split(maps * sites)  # loc, scale; raw zeros are the mean 0 and the scale 1
            return torch.cat([torch.cat([block, torch.zeros(sites, *value.shape[1:])]) for block in blocks])
        if name == "decoder.stem.0.0.weight":
            return torch.cat([value, torch.zeros(1, *value.shape[1:])])
        return value

    wider.load_state_dict({name: widened(name, value) for name, value in state.items()})
    return wider


def test_a_constant_map_changes_no_bound_but_the_papers_loss() -> None:
    model = SpatialVAE.from_config(
        ModelConfig(latent="naive", maps=2, image_size=(8, 8), channels=1, likelihood="gaussian:scale=1")
    )
    wider = with_a_constant_map(model)
    images = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)
    floats = images / 127.5 - 1
    results = []
    code = torch.randn(4, 3, 3, 3)
    for one, z in ((model.eval(), code[:, :2]), (wider.eval(), code)):
        kl = kl_divergence(one.encode(images), one.prior())
        results.append(ELBO(one.decode(z).log_prob(floats), kl))
    assert_close(results[0].kl, results[1].kl)
    assert_close(results[0].bound, results[1].bound)
    assert_close(elbo_loss(results[0]), elbo_loss(results[1]))
    losses = [paper_loss(one, pixels=64, latents=9 * maps) for one, maps in zip(results, (2, 3), strict=True)]
    assert losses[1] < losses[0]  # the KL counts for a third less
