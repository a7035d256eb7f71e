"""The causal network: no pixel sees itself or later ones, kept maps give what the whole image gives, masses add up."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from spatialvae.config import ModelConfig
from spatialvae.errors import UserError
from spatialvae.likelihoods import PixelCNN
from spatialvae.likelihoods.causal import CausalCache, CausalNetwork
from spatialvae.likelihoods.location_scale import ScaleOffset
from spatialvae.likelihoods.logistic_mixture import LogisticMixture, LogisticMixturePixels
from spatialvae.likelihoods.pixelcnn import PixelCNNPixels
from spatialvae.model import SpatialVAE
from spatialvae.store import load, save_model
from tests.likelihoods.levels import LEVELS

SIZES = [(1, 1), (1, 6), (5, 4), (7, 3)]


def trained(channels: int, *, layers: int = 3, components: int = 2) -> PixelCNN:
    """A likelihood whose network adds something, in float64."""
    torch.manual_seed(channels)
    likelihood = PixelCNN(layers=layers, width=6, components=components)
    likelihood.build(channels)
    for parameter in likelihood.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return likelihood.double()


def output_for(likelihood: PixelCNN, batch: int, height: int, width: int) -> Tensor:
    return torch.randn(batch, likelihood.outputs(likelihood.channels), height, width, dtype=torch.float64)


def pictures(batch: int, channels: int, height: int, width: int) -> Tensor:
    return LEVELS[torch.randint(0, 256, (batch, channels, height, width))]


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_no_pixel_sees_itself_or_a_later_one(layers: int) -> None:
    likelihood, (height, width) = trained(3, layers=layers), (6, 5)
    images, output = pictures(1, 3, height, width).requires_grad_(), output_for(likelihood, 1, height, width)
    added = likelihood.network(images, output)
    for place in range(height * width):
        [gradient] = torch.autograd.grad(added.flatten(2)[:, :, place].sum(), images, retain_graph=True)
        seen = gradient.abs().sum((0, 1)).flatten() > 0
        assert not seen[place:].any()
        row, column = divmod(place, width)
        if column:
            assert seen[place - 1]
        if row:
            assert seen[place - width]


def test_conditions_are_seen_at_each_place() -> None:
    likelihood = trained(1)
    output = output_for(likelihood, 1, 4, 4).requires_grad_()
    [gradient] = torch.autograd.grad(likelihood.network(pictures(1, 1, 4, 4), output)[0, :, 2, 2].sum(), output)
    assert gradient[0, :, 2, 2].abs().sum() > 0
    assert gradient[0, :, 3].abs().sum() == 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("layers", [1, 3])
def test_kept_maps_give_what_the_whole_image_gives(size: tuple[int, int], channels: int, layers: int) -> None:
    likelihood = trained(channels, layers=layers)
    images, output = pictures(2, channels, *size), output_for(likelihood, 2, *size)
    whole = likelihood.network(images, output)
    with torch.no_grad():
        cache = CausalCache(likelihood.network, output, channels)
        for row in range(size[0]):
            for column in range(size[1]):
                assert_close(cache.step(row, column), whole[:, :, row, column])
                cache.put(row, column, images[:, :, row, column])


@pytest.mark.parametrize("what", ["mean", "mode", "drawn"])
def test_images_are_those_of_a_whole_pass_for_each_pixel(what: str) -> None:
    likelihood = trained(3)
    output = output_for(likelihood, 2, 4, 5)
    pixels = likelihood(output)
    noise = torch.rand(2, *pixels.noise_shape, dtype=torch.float64)
    images = torch.zeros(2, 3, 4, 5, dtype=torch.float64)
    with torch.no_grad():
        for row in range(4):
            for column in range(5):
                mixture = LogisticMixturePixels.of_outputs(
                    output + likelihood.network(images, output), 2, likelihood.offset
                )
                whole = mixture.drawn(noise) if what == "drawn" else getattr(mixture, what)
                images[:, :, row, column] = whole[:, :, row, column]
    assert_close(pixels.drawn(noise) if what == "drawn" else getattr(pixels, what), images)


def test_the_masses_of_all_images_add_up_to_one() -> None:
    likelihood = trained(1)
    pixels = likelihood(output_for(likelihood, 1, 1, 2))
    images = torch.cartesian_prod(LEVELS, LEVELS).reshape(-1, 1, 1, 1, 2)
    assert pixels.log_mass(images).exp().sum().item() == pytest.approx(1, abs=1e-9)


def test_draws_have_the_masses_as_frequencies() -> None:
    likelihood = trained(1)
    pixels = likelihood(output_for(likelihood, 1, 1, 2))
    values = torch.cartesian_prod(LEVELS, LEVELS).reshape(-1, 1, 1, 1, 2)
    bright = (values > 0).flatten(1).all(1)
    share = pixels.log_mass(values).exp().flatten()[bright].sum()
    draws = (pixels.sample(torch.Size([40_000])) > 0).flatten(1).all(1).double().mean()
    assert abs(draws - share) < 4 * (share * (1 - share) / 40_000).sqrt()


def test_untrained_it_is_the_mixture_without_a_network() -> None:
    likelihood = PixelCNN()
    likelihood.build(3)
    output, images = torch.randn(2, 50, 4, 4), pictures(2, 3, 4, 4).float()
    mixture = LogisticMixture()(output)
    assert torch.equal(likelihood(output).log_mass(images), mixture.log_mass(images))
    assert torch.equal(likelihood(output).outline, mixture.mean)


def test_a_model_trains_and_is_stored_with_it(tmp_path) -> None:
    config = ModelConfig(latent="naive", maps=2, likelihood="pixelcnn:layers=2,width=8", image_size=(8, 8), channels=1)
    model = SpatialVAE.from_config(config)
    images = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)
    (-model(images).bound.mean()).backward()
    assert all(parameter.grad is not None for parameter in model.likelihood.parameters())
    for parameter in model.likelihood.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    save_model(tmp_path, model.eval())
    again = load(tmp_path)
    assert torch.equal(again.sample(3, seed=1, pixels="sample"), model.sample(3, seed=1, pixels="sample"))
    assert torch.equal(model.sample(3, seed=1, pixels="sample")[:2], model.sample(2, seed=1, pixels="sample"))


def test_short_formats_go_into_the_network_only() -> None:
    likelihood = trained(1).bfloat16()
    output, images = torch.randn(2, likelihood.outputs(1), 4, 4).bfloat16(), pictures(2, 1, 4, 4).float()
    assert likelihood(output).log_mass(images).dtype == torch.float32
    assert likelihood(output).sample().isfinite().all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": 0}, "layers=0 is not possible: pixelcnn takes 1 to 50"),
        ({"width": 0}, "width=0 is not possible: pixelcnn takes 1 to 1024"),
        ({"components": 0}, "components=0"),
        ({"layers": 2.5}, "layers is a whole number"),
    ],
)
def test_sizes_that_cannot_be_are_refused(options: dict[str, int], words: str) -> None:
    with pytest.raises(UserError, match=words):
        PixelCNN(**options)


def test_other_channels_are_refused() -> None:
    likelihood = PixelCNN(layers=1, width=2)
    with pytest.raises(UserError, match="has no network yet"):
        likelihood(torch.zeros(1, 15, 2, 2))
    likelihood.build(1)
    likelihood.build(1)
    with pytest.raises(UserError, match="of images with 1 channels, not 3"):
        likelihood.build(3)


def test_the_network_is_small() -> None:
    network = CausalNetwork(3, 50, layers=4, width=32)
    assert sum(parameter.numel() for parameter in network.parameters()) < 30_000
    assert isinstance(PixelCNNPixels(network, torch.zeros(1, 50, 2, 2), 3, 5, ScaleOffset()).mean, Tensor)
