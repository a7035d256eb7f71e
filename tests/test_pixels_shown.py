"""Pictures as the mean of p(x|z), its mode or a sample of it: the same ones wherever and however they are made."""

from __future__ import annotations

import pytest
import torch

from spatialvae.config import ModelConfig
from spatialvae.data.pixels import to_uint8
from spatialvae.errors import UserError
from spatialvae.likelihoods.shown import NOISE, shown
from spatialvae.model import SpatialVAE
from spatialvae.networks import inference
from spatialvae.seeding import stream_seed

SPECS = ["gaussian", "gaussian:scale=pixel,mean=linear", "logistic", "logistic-mixture:components=3", "bernoulli"]


def small(likelihood: str) -> SpatialVAE:
    torch.manual_seed(0)
    config = ModelConfig(latent="naive", maps=4, likelihood=likelihood, image_size=(8, 8), channels=3)
    return SpatialVAE.from_config(config).eval()


def images(count: int = 6) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8)


@pytest.mark.parametrize("spec", SPECS)
def test_samples_of_pixels_are_repeatable_and_do_not_depend_on_their_number(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small(spec)
    many = model.sample(7, seed=3, pixels="sample")
    assert torch.equal(many[:3], model.sample(3, seed=3, pixels="sample"))
    assert not torch.equal(many, model.sample(7, seed=4, pixels="sample"))
    monkeypatch.setitem(inference.AT_ONCE, "cpu", 2)
    assert torch.equal(many, model.sample(7, seed=3, pixels="sample"))
    noisy = model.reconstruct(images(), pixels="sample", seed=1)
    torch.manual_seed(8)
    assert not torch.equal(noisy, model.reconstruct(images(), pixels="sample", seed=2))


@pytest.mark.parametrize("spec", SPECS)
def test_the_default_is_the_mean_and_codes_are_the_same_for_all(spec: str) -> None:
    model, given = small(spec), images()
    assert torch.equal(model.sample(4, seed=1), model.sample(4, seed=1, pixels="mean"))
    with torch.no_grad():
        pixels = model.decode(model.encode(given).mean)
        assert torch.equal(model.reconstruct(given), to_uint8(pixels.mean))
        assert torch.equal(model.reconstruct(given, pixels="mode"), to_uint8(pixels.mode))
        drawn = shown("sample", seed=1)(pixels)
        assert torch.equal(model.reconstruct(given, pixels="sample", seed=1), to_uint8(drawn))


def test_a_sample_without_a_seed_comes_from_torchs_generator() -> None:
    model, given = small("gaussian"), images()
    torch.manual_seed(3)
    first = model.reconstruct(given, pixels="sample")
    second = model.reconstruct(given, pixels="sample")
    torch.manual_seed(3)
    assert torch.equal(first, model.reconstruct(given, pixels="sample"))
    assert not torch.equal(first, second)


def test_noise_is_not_the_codes_own() -> None:
    # One stream for both would make the first pixels' noise the first numbers of the code.
    codes = torch.Generator().manual_seed(5)
    pixels = torch.Generator()
    pixels.manual_seed(stream_seed(5, NOISE))
    assert not torch.equal(torch.rand(4, generator=codes), torch.rand(4, generator=pixels))


def test_another_word_is_refused() -> None:
    model = small("gaussian")
    for make in (lambda: model.sample(1, pixels="means"), lambda: model.reconstruct(images(), pixels="means")):  # pyright: ignore[reportArgumentType]
        with pytest.raises(UserError, match=r"pixels 'means' is not possible\. Did you mean 'mean'\?"):
            make()
