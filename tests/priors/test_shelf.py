"""The shelf: fitted priors move with their model, and are no part of its weights."""

from __future__ import annotations

import copy

import torch

from spatialvae.config import ModelConfig
from spatialvae.model import SpatialVAE
from spatialvae.priors import FlowFamily, GaussianPrior
from tests.priors.gaussians import gaussian


def with_priors() -> SpatialVAE:
    model = SpatialVAE.from_config(ModelConfig(image_size=(8, 8), channels=1, maps=2)).eval()
    normal = gaussian(torch.randn(model.latent.event_shape), 2 * torch.eye(model.latent.numbers))
    model.priors["gaussian"] = normal
    model.priors["flow"] = FlowFamily(couplings=2, width=8).start(copy.deepcopy(normal), 0)
    return model


def test_priors_are_no_part_of_the_models_weights() -> None:
    bare, model = SpatialVAE.from_config(ModelConfig(image_size=(8, 8), channels=1, maps=2)), with_priors()
    assert model.state_dict().keys() == bare.state_dict().keys()
    assert len(list(model.parameters())) == len(list(bare.parameters()))
    assert len(list(model.buffers())) == len(list(bare.buffers()))
    model.load_state_dict(bare.state_dict())
    assert list(model.priors) == ["gaussian", "flow"]


def test_priors_move_with_the_model_and_keep_their_number_format() -> None:
    model = with_priors().double()
    assert model.dtype == torch.float64
    for prior in model.priors.values():
        formats = {value.dtype for value in prior.state_dict().values() if value.is_floating_point()}
        assert formats == {torch.float32}
    model.to("meta")
    for prior in model.priors.values():
        assert {value.device.type for value in prior.state_dict().values()} == {"meta"}


def test_a_copy_of_a_model_has_priors_of_its_own() -> None:
    model = with_priors()
    other = copy.deepcopy(model)
    for mine, its in zip(model.priors.values(), other.priors.values(), strict=True):
        assert mine is not its
    assert torch.equal(model.sample(2, seed=0, prior="flow"), other.sample(2, seed=0, prior="flow"))
    del other.priors["flow"]
    assert "flow" in model.priors


def test_a_fitted_prior_replaces_the_reason_why_there_was_none() -> None:
    model = with_priors()
    model.priors.unusable["gaussian"] = "It was fitted to other weights."
    model.priors["gaussian"] = gaussian(torch.zeros(model.latent.event_shape))
    assert model.priors.unusable == {}


def test_whitening_follows_the_numbers_of_a_loaded_state() -> None:
    loc = torch.zeros(1, 1, 2, dtype=torch.float64)
    prior, other = (gaussian(loc, scale * torch.eye(2, dtype=torch.float64)) for scale in (1.0, 4.0))
    codes = torch.ones(3, 1, 1, 2, dtype=torch.float64)
    assert isinstance(prior, GaussianPrior)
    assert torch.allclose(prior.whiten(codes), codes)
    prior.load_state_dict(other.state_dict())
    assert torch.allclose(prior.whiten(codes), codes / 4)
    assert torch.allclose(prior.float().whiten(codes), codes.float() / 4)
