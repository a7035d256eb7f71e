"""Parts of one's own that a model refuses, and the rare ones that it takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, StudentT

from spatialvae.config import ModelConfig
from spatialvae.errors import UserError
from spatialvae.latents import AbstractLatent, LowRank, Naive
from spatialvae.latents.base import independent_normals
from spatialvae.model import SpatialVAE
from spatialvae.networks import PaperNetworks
from spatialvae.priors import AbstractModelFamily, LearnedFamily
from spatialvae.representation import spell_parameters
from spatialvae.store import load, save_model
from tests.latents.own import Separable
from tests.test_parts import SHAPE, Decoder, Encoder, own


@dataclass(frozen=True)
class Wide(AbstractModelFamily):
    """N(0, 9 I), and N(0, I) where it has no module."""

    plain: bool = False
    title = meaning = "a wide Gaussian"

    def check(self, latent: AbstractLatent) -> None:
        if latent.maps > 4:
            raise UserError("Wide takes at most 4 maps.")

    def module(self, latent: AbstractLatent) -> nn.Module | None:
        return None if self.plain else WideModule(latent.event_shape)


class WideModule(nn.Module):
    """Its one distribution."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self) -> Distribution:
        return independent_normals(torch.zeros(self.shape), torch.full(self.shape, 3.0))


class Heavy(AbstractLatent):
    """A latent whose divergence to N(0, I) torch does not know."""

    description = equation = "Student's t"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"loc": self.event_shape}

    def distribution(self, parameters: dict[str, Tensor]) -> Distribution:
        return Independent(StudentT(3.0, parameters["loc"]), 3)


def test_a_latent_without_a_formula_for_its_divergence_is_refused_when_the_model_is_made() -> None:
    with pytest.raises(UserError, match="KL divergence of Heavy to") as caught:
        SpatialVAE(latent=Heavy(2, 3, 3), image_shape=(1, 8, 8))
    assert len(str(caught.value).splitlines()) == 2


def test_the_parts_of_the_count_are_the_whole() -> None:
    model = SpatialVAE.from_config(ModelConfig(latent="naive", maps=2, image_size=(8, 8), channels=1))
    numbers = [int(text.replace(",", "")) for text in re.findall(r"[\d,]*\d", spell_parameters(model))]
    rest = sum(weights.numel() for weights in model.likelihood.parameters())
    assert numbers[0] == sum(numbers[1:]) + rest == sum(weights.numel() for weights in model.parameters())


def test_like_of_another_prior_or_network_is_refused(tmp_path: Path) -> None:
    latent = LowRank(2, 3, 3)
    save_model(tmp_path, SpatialVAE(latent=latent, image_shape=SHAPE, networks=PaperNetworks(stem="authors")))
    with pytest.raises(UserError, match=r"network paper:stem=matched, .* has paper:stem=authors"):
        load(tmp_path, like=SpatialVAE(latent=latent, image_shape=SHAPE))
    save_model(tmp_path, SpatialVAE(latent=latent, image_shape=SHAPE, prior=Wide()))
    with pytest.raises(UserError, match=r"prior standard, .* has own:Wide"):
        load(tmp_path, like=SpatialVAE(latent=latent, image_shape=SHAPE))
    model = load(tmp_path, like=SpatialVAE(latent=latent, image_shape=SHAPE, prior=Wide()))
    assert torch.equal(model.prior().stddev, torch.full(latent.event_shape, 3.0))


def test_a_prior_object_is_checked_and_may_have_no_module() -> None:
    with pytest.raises(UserError, match="at most 4 maps"):
        SpatialVAE(latent=Naive(5, 3, 3), image_shape=SHAPE, prior=Wide())
    model = SpatialVAE(latent=Naive(2, 3, 3), image_shape=SHAPE, prior=Wide(plain=True))
    assert torch.equal(model.prior().stddev, torch.ones(2, 3, 3))


def test_a_latent_without_a_name_has_a_learned_prior() -> None:
    model = SpatialVAE(latent=Separable(2, 3, 3), image_shape=SHAPE, prior=LearnedFamily())
    assert model.prior().event_shape == (2, 3, 3)
    with pytest.raises(UserError, match="cannot stand beside the object"):
        SpatialVAE(latent=Separable(2, 3, 3), image_shape=SHAPE, prior=LearnedFamily(Separable(2, 3, 3), gain="2"))


def test_tied_weights_are_saved(tmp_path: Path) -> None:
    encoder, decoder = Encoder(64), Decoder()
    decoder.second.weight = cast(nn.Linear, encoder.layers[1]).weight
    save_model(tmp_path, own(encoder=encoder, decoder=decoder))
    again = load(tmp_path, like=own(encoder=Encoder(64)))
    assert torch.equal(again.state_dict()["decoder.second.weight"], decoder.second.weight)


def test_shapes_of_images_are_three_numbers() -> None:
    assert SpatialVAE(latent=Naive(2, 3, 3), image_shape=[1, 8, 8]).image_shape == SHAPE  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="channels, height, width"):
        SpatialVAE(latent=Naive(2, 3, 3), image_shape=(8, 8))  # pyright: ignore[reportArgumentType]


def test_a_frozen_part_stays_frozen_through_sampling() -> None:
    model = SpatialVAE(latent=Naive(2, 3, 3), image_shape=SHAPE).train()
    model.encoder.eval()
    model.sample(1, seed=0)
    assert (model.training, model.encoder.training, model.decoder.training) == (True, False, True)
