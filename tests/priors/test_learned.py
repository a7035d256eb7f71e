"""The prior that is trained with the model: the distribution, how it is spelled, and that everything uses it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.distributions import kl_divergence
from torch.testing import assert_close

from spatialvae.config import ModelConfig
from spatialvae.elbo import elbo_loss
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS, AbstractLatent, parse_latent, variants
from spatialvae.metrics.likelihood.importance import importance_weighted_bound
from spatialvae.model import SpatialVAE
from spatialvae.priors import LearnedFamily, LearnedPrior, parse_own, standard_normal
from spatialvae.store import load, save_model

GRID = (4, 2, 3)
EVERY = list(variants(GRID).values())
IMAGES = torch.arange(2 * 64, dtype=torch.uint8).view(2, 1, 8, 8)


def parse_learned(spec: str, latent: AbstractLatent) -> AbstractLatent | None:
    """The latent that a prior's text means beside the posterior's `latent`."""
    family = parse_own(spec)
    return family.latent_for(latent) if isinstance(family, LearnedFamily) else None


def small(prior: str, latent: str = "low-rank") -> SpatialVAE:
    torch.manual_seed(0)
    return SpatialVAE.from_config(ModelConfig(latent=latent, image_size=(8, 8), channels=1, maps=3, prior=prior)).eval()


@pytest.mark.parametrize("latent", EVERY, ids=LATENTS.spell)
def test_it_starts_as_the_standard_normal(latent: AbstractLatent) -> None:
    distribution, standard = LearnedPrior(latent)(), standard_normal(latent.event_shape)
    assert distribution.batch_shape == ()
    assert_close(kl_divergence(distribution, standard), torch.zeros(()), atol=1e-6, rtol=0)
    assert_close(
        distribution.log_prob(torch.ones(latent.event_shape)), standard.log_prob(torch.ones(latent.event_shape))
    )


@pytest.mark.parametrize("latent", EVERY, ids=LATENTS.spell)
def test_training_reaches_every_number_of_it(latent: AbstractLatent) -> None:
    model = small("learned", LATENTS.spell(latent))
    assert model.learned_prior is not None
    with torch.no_grad():  # away from the start, where one factor of a low-rank mean is 0
        for value in model.learned_prior.parameters():
            value.add_(0.1)
    elbo_loss(model(IMAGES)).backward()
    for name, value in model.learned_prior.named_parameters():
        assert value.grad is not None, name
        assert (value.grad != 0).all(), name


@pytest.mark.parametrize(
    ("spec", "latent", "distribution"),
    [
        ("learned", "low-rank:rank=2", "low-rank:rank=2"),
        ("learned:covariance=full", "matrix-normal", "matrix-normal:covariance=full"),
        ("learned:latent=matrix-normal,covariance=full", "low-rank", "matrix-normal:covariance=full"),
        ("learned:law=naive", "vector", "naive"),  # as files from earlier versions spell it
        ("learned:latent=naive", "vector", "naive"),
        ("learned:latent=tensor-normal,covariance=ar1", "naive", "tensor-normal:covariance=ar1"),
    ],
)
def test_what_is_left_out_is_the_posteriors(spec: str, latent: str, distribution: str) -> None:
    posterior = parse_latent(latent, GRID)
    assert parse_learned(spec, posterior) == parse_latent(distribution, posterior.event_shape)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("lerned", ["'lerned'", "'learned'"]),
        ("gaussian", ["gaussian", "standard"]),
        ("standard:latent=naive", ["standard has no option", "latent"]),
        ("learned:latent=nave", ["'nave'", "'naive'"]),
        ("learned:latent=naive,covariance=full", ["naive", "'covariance'"]),
        ("learned:latent=vector", ["[3, 1, 1]", "latent=naive"]),
        ("learned:latent=naive,maps=9", ["[9, 2, 3]", "[4, 2, 3]", "latent=naive"]),
        ("learned:rank=9", ["rank=9", "1 to 2"]),
    ],
)
def test_a_wrong_spelling_is_one_plain_line(spec: str, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        parse_learned(spec, parse_latent("low-rank", GRID))
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


def test_the_bound_and_what_is_drawn_are_of_the_learned_prior() -> None:
    model, plain = small("learned:latent=matrix-normal,covariance=full"), small("standard")
    assert isinstance(model.learned_prior, LearnedPrior)
    assert (model.priors.own, plain.priors.own) == ("learned", "standard")
    with torch.no_grad():
        model.learned_prior.free["loc"].add_(3.0)
        posterior = model.encode(IMAGES)
        assert_close(model.elbo(IMAGES).kl, kl_divergence(posterior, model.learned_prior()))
    assert (model.elbo(IMAGES).kl - plain.elbo(IMAGES).kl).abs().min() > 1
    drawn = [model.sample(2, seed=0, prior=name) for name in (None, "learned", "standard")]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    with pytest.raises(UserError, match="no prior 'learned'"):
        plain.prior("learned")
    torch.manual_seed(1)
    far = importance_weighted_bound(model, IMAGES, 2)
    assert (far < importance_weighted_bound(plain, IMAGES, 2) - 10).all()


def test_it_is_saved_with_the_model(tmp_path: Path) -> None:
    model = small("learned:latent=tensor-normal", "tensor-normal")
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.01)
    save_model(tmp_path, model)
    again = load(tmp_path)
    assert again.priors.own == "learned"
    assert_close(again.prior().stddev, model.prior().stddev)
    assert_close(again.elbo(IMAGES).kl, model.elbo(IMAGES).kl)
