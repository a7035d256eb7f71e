"""The model as a user meets it: images in, distributions and pictures out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import kl_divergence
from torch.testing import assert_close

import spatialvae.sampling as module
from spatialvae.config import ModelConfig
from spatialvae.data.pixels import to_uint8
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS
from spatialvae.likelihoods import LIKELIHOODS
from spatialvae.model import SpatialVAE
from spatialvae.priors import MixtureFamily
from spatialvae.runtime import precision
from spatialvae.runtime.evaluating import evaluating
from tests.priors.gaussians import gaussian
from tests.priors.toy import ToyCodes


def small(**options: object) -> SpatialVAE:
    """A model of 8x8 grey images, with weights large enough that its pictures differ."""
    values: dict[str, object] = {"image_size": (8, 8), "channels": 1, "maps": 2, **options}
    model = SpatialVAE.from_config(ModelConfig(**values)).eval()  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        for buffer in model.buffers():
            if buffer.is_floating_point():
                buffer.mul_(0.3)  # running variances under 1: activations, and with them pictures, spread out
    return model


def pictures(count: int = 4, channels: int = 1, height: int = 8, width: int = 8) -> Tensor:
    return torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8)


def differences(one: Tensor, other: Tensor) -> int:
    """The largest difference of two uint8 tensors; 1 is the rounding of another batch size."""
    return int((one.int() - other.int()).abs().max())


@pytest.mark.parametrize("latent", list(LATENTS))
@pytest.mark.parametrize("likelihood", list(LIKELIHOODS))
def test_shapes(latent: str, likelihood: str) -> None:
    model, images = small(latent=latent, likelihood=likelihood), pictures()
    q = model.encode(images)
    assert (q.batch_shape, q.event_shape) == ((4,), model.latent.event_shape)
    p = model.decode(q.rsample())
    assert (p.batch_shape, p.event_shape) == ((4,), (1, 8, 8))
    terms = model.elbo(images)
    assert terms.reconstruction.shape == terms.kl.shape == terms.bound.shape == (4,)
    assert (terms.kl >= 0).all()
    for out in (model.sample(3, seed=0), model.reconstruct(images[:3])):
        assert (out.shape, out.dtype) == ((3, 1, 8, 8), torch.uint8)


def test_rectangular_maps_and_images() -> None:
    model = small(latent="low-rank:rank=3", map_size="3x5", image_size=(9, 14), channels=2)
    images = pictures(2, 2, 9, 14)
    assert model.encode(images).event_shape == (2, 3, 5)
    assert torch.isfinite(model(images).bound).all()
    assert model.sample(2).shape == model.reconstruct(images).shape == (2, 2, 9, 14)


def test_uint8_and_float_images_agree() -> None:
    model, images = small(), pictures()
    floats = images / 127.5 - 1
    assert_close(model.encode(images).mean, model.encode(floats).mean, rtol=0, atol=0)
    results = []
    for given in (images, floats):
        torch.manual_seed(1)
        results.append(model.elbo(given).bound)
    assert torch.equal(*results)
    assert torch.equal(model.reconstruct(images), model.reconstruct(floats))


def test_the_forward_is_the_bound() -> None:
    model, images = small(), pictures()
    torch.manual_seed(5)
    by_forward = model(images)
    torch.manual_seed(5)
    assert torch.equal(model.elbo(images).bound, by_forward.bound)
    torch.manual_seed(5)
    q = model.encode(images)
    z = q.rsample()
    assert_close(by_forward.reconstruction, model.decode(z).log_prob(images / 127.5 - 1))
    assert_close(by_forward.kl, kl_divergence(q, model.prior()))


def test_the_bound_is_a_bound_on_what_importance_sampling_finds() -> None:
    model, images = small(map_size="1", likelihood="gaussian:scale=0.5"), pictures(2)
    floats, q, p = images / 127.5 - 1, model.encode(images), model.prior()
    with torch.no_grad():
        z = q.sample(torch.Size([3000]))
        reconstruction = model.decode(z.flatten(0, 1)).log_prob(floats.repeat(3000, 1, 1, 1)).view(3000, 2)
        evidence = (reconstruction + p.log_prob(z) - q.log_prob(z)).logsumexp(0) - np.log(3000)
        bound = reconstruction.mean(0) - kl_divergence(q, p)
    assert (bound < evidence + 1e-3).all()


def test_every_parameter_gets_a_gradient() -> None:
    for latent in LATENTS:
        model = small(latent=latent).train()
        (-model(pictures()).bound.mean()).backward()
        for name, value in model.named_parameters():
            assert value.grad is not None, (latent, name)
            assert torch.isfinite(value.grad).all(), (latent, name)
            assert value.grad.any(), (latent, name)


@pytest.mark.parametrize(
    ("images", "given"),
    [
        (torch.zeros(2, 1, 8, 8, dtype=torch.int64), "torch.int64"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.bool), "torch.bool"),
        (torch.zeros(1, 8, 8, dtype=torch.uint8), "shape [1, 8, 8]"),
        (torch.full((2, 1, 8, 8), 255.0), "from 255 to 255"),
        (torch.full((2, 1, 8, 8), -1.5), "from -1.5 to -1.5"),
        (torch.full((2, 1, 8, 8), torch.nan), "from nan to nan"),
        (torch.zeros(2, 3, 8, 8), "shape [2, 3, 8, 8]"),
        (torch.zeros(2, 1, 8, 9, dtype=torch.uint8), "shape [2, 1, 8, 9]"),
        (np.zeros((2, 1, 8, 8), np.uint8), "ndarray"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("method", ["encode", "elbo", "reconstruct"])
def test_wrong_images_are_told_what_came_and_what_is_wanted(images: Tensor, given: str, method: str) -> None:
    model = small()
    with pytest.raises(ValueError, match="want") as caught:
        getattr(model, method)(images)
    message = str(caught.value)
    assert given in message
    assert "[-1, 1]" in message or "[1, 8, 8]" in message


def test_samples_are_a_function_of_the_seed() -> None:
    model = small()
    state = torch.random.get_rng_state()
    one, same, other = (model.sample(5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), state)  # the caller's generator is left alone
    assert not torch.equal(model.sample(5), model.sample(5))


def test_the_first_samples_do_not_depend_on_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small()
    monkeypatch.setattr(module, "CHUNK", 4)
    many = model.sample(11, seed=3)
    assert many.shape[0] == 11
    for count in (1, 3, 4, 5, 8):
        few = model.sample(count, seed=3)
        assert few.shape[0] == count
        assert differences(few, many[:count]) <= 1
    assert len(many.flatten(1).unique(dim=0)) == 11  # chunks do not repeat


def test_groups_and_batches_of_the_decoder_change_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small()
    many = model.sample(11, seed=3)
    monkeypatch.setattr(module, "decoded_at_once", lambda device: 3)
    assert differences(model.sample(11, seed=3), many) <= 1
    monkeypatch.setattr(module, "CHUNK", 2)
    chunks = model.sample(11, seed=3)
    monkeypatch.setattr(module, "GROUP", 4)
    assert differences(model.sample(11, seed=3), chunks) <= 1


def test_samples_in_bf16_are_the_same_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small()
    monkeypatch.setattr(precision, "_cpu_has_amx", lambda: False)
    exact = model.sample(50, seed=3)
    monkeypatch.setattr(precision, "_cpu_has_amx", lambda: True)
    fast = model.sample(50, seed=3)
    assert 0 < differences(fast, exact) <= 2
    assert (fast.float() - exact.float()).abs().mean() < 0.3


def test_samples_may_be_changed() -> None:
    # Tensors made in inference mode may not.
    samples = small().sample(2, seed=0)
    samples += 1
    assert not samples.is_inference()


def test_fewer_samples_than_a_chunk() -> None:
    assert len(small().sample(7, seed=0)) == 7
    none = small().sample(0)
    assert (none.shape, none.dtype) == ((0, 1, 8, 8), torch.uint8)


@pytest.mark.parametrize("prior", ["standard", "gaussian"])
def test_temperature_nought_is_the_priors_mean(prior: str) -> None:
    model = small()
    shape = model.latent.event_shape
    model.priors["gaussian"] = gaussian(torch.randn(shape), 3 * torch.eye(model.latent.numbers))
    cold = model.sample(3, seed=0, temperature=0.0, prior=prior)
    mean = model.prior(prior).mean.expand(3, *shape)
    assert differences(cold, to_uint8(model.decode(mean).mean)) <= 1
    assert differences(cold[:1], cold[1:2]) == 0
    far = [model.sample(64, seed=0, temperature=t, prior=prior).float().std(0).mean() for t in (0.1, 1.0)]
    assert far[0] < far[1]


def test_a_priors_name_is_exact_first_then_its_familys() -> None:
    model = small()
    codes = ToyCodes(torch.randn(60, *model.latent.event_shape))
    assert (model.priors.resolve(), model.priors.resolve("standard")) == ("standard", "standard")
    two, three = (MixtureFamily(components=count).fit(codes)[0] for count in (2, 3))
    model.priors["mixture:components=2"] = two
    assert model.priors.resolve("mixture") == "mixture:components=2"
    assert model.priors[model.priors.resolve("mixture")] is two
    model.priors["mixture:components=3"] = three
    with pytest.raises(UserError, match="choose mixture:components=2 or mixture:components=3"):
        model.prior("mixture")
    assert model.priors[model.priors.resolve("mixture:components=3")] is three
    model.priors["mixture"] = three
    assert model.priors.resolve("mixture") == "mixture"
    with pytest.raises(UserError, match="no prior 'flow' yet"):
        model.sample(1, prior="flow")


@pytest.mark.parametrize("temperature", [math.inf, math.nan, -1.0])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(UserError, match="temperature"):
        small().sample(1, temperature=temperature)


def test_an_unknown_prior_names_the_nearest() -> None:
    model = small()
    model.priors["gaussian"] = gaussian(torch.zeros(2, 3, 3))
    with pytest.raises(UserError, match=r"no prior 'gausian'. Did you mean 'gaussian'\?"):
        model.sample(1, prior="gausian")


def test_reconstructions_decode_the_mean_code() -> None:
    model, images = small(), pictures()
    expected = to_uint8(model.decode(model.encode(images).mean).mean)
    assert torch.equal(model.reconstruct(images), expected)
    assert torch.equal(model.reconstruct(images), model.reconstruct(images))
    assert model.reconstruct(images[:0]).shape == (0, 1, 8, 8)


def test_pictures_made_in_training_mode_leave_no_trace() -> None:
    model, images = small(), pictures()
    calm = model.sample(4, seed=1), model.reconstruct(images)
    model.train()
    before = {name: value.clone() for name, value in model.named_buffers()}
    assert torch.equal(model.sample(4, seed=1), calm[0])
    assert torch.equal(model.reconstruct(images), calm[1])
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())


def test_evaluating_gives_the_mode_back_after_an_error() -> None:
    model = small().train()
    with pytest.raises(RuntimeError), evaluating(model):
        assert not model.training
        raise RuntimeError
    assert model.training


@pytest.mark.parametrize(("latent", "maps"), [("vector", 81), ("low-rank", 64), ("naive", 64)])
def test_defaults_are_the_papers(latent: str, maps: int) -> None:
    model = SpatialVAE.from_config(ModelConfig(latent=latent, image_size=(64, 64)))
    side = 1 if latent == "vector" else 3
    assert model.latent.event_shape == (maps, side, side)


def test_sizes_that_do_not_fit_are_named() -> None:
    with pytest.raises(UserError, match="map_size 9x3 does not fit into images of 8x8: use at most 8x8"):
        small(map_size="9x3")
    with pytest.raises(UserError, match="map_size 3x is not a size"):
        small(map_size="3x")
    with pytest.raises(UserError, match="rank=4"):
        small(latent="low-rank:rank=4")
