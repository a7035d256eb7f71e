"""All metrics of a model on a split: the same terms as in training, a real code length, honest errors."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pytest
import torch

from spatialvae.config import ModelConfig
from spatialvae.data import ImageSplit
from spatialvae.data.pixels import to_float
from spatialvae.errors import UserError
from spatialvae.likelihoods import LIKELIHOODS
from spatialvae.metrics import Estimate, evaluate
from spatialvae.model import SpatialVAE
from tests.conftest import smooth_images

module: Any = importlib.import_module("spatialvae.metrics.evaluate")  # the package has a function of that name

NAMES = ["elbo", "kl", "reconstruction", "bits_per_dim", "mse", "psnr", "ssim", "nll"]
PIXELS = 64


def small(**options: object) -> SpatialVAE:
    values: dict[str, Any] = {"image_size": (8, 8), "channels": 1, "maps": 2, **options}
    return SpatialVAE(ModelConfig(**values)).eval()


def split(count: int = 12, channels: int = 1, height: int = 8, width: int = 8) -> ImageSplit:
    return ImageSplit(smooth_images(count, channels, height, width), None)


def values(found: dict[str, Estimate]) -> dict[str, float]:
    return {name: estimate.value for name, estimate in found.items()}


def test_an_estimate_is_a_mean_and_its_standard_error() -> None:
    numbers = torch.tensor([1.0, 2.0, 6.0, 7.0])
    found = Estimate.of(numbers)
    assert found.value == 4.0
    assert found.standard_error == pytest.approx(numbers.numpy().std(ddof=1) / 2)
    assert found.as_dict() == {"value": 4.0, "standard_error": found.standard_error, "n": 4}
    assert Estimate.of(torch.tensor([3.0])) == Estimate(3.0, None, 1)


def test_sums_run_in_double_precision() -> None:
    values = torch.full((3000,), 16_777_217.0, dtype=torch.float64).float()
    assert Estimate.of(values).value == values[0].item()


@pytest.mark.parametrize("latent", ["vector", "low-rank"])
def test_the_bound_is_the_models_own(latent: str) -> None:
    model, images = small(latent=latent), split()
    found = evaluate(model, images, importance_samples=0, seed=5)
    torch.manual_seed(5)
    with torch.no_grad():
        terms = model.elbo(torch.from_numpy(images.images))
    expected = {"elbo": terms.bound, "kl": terms.kl, "reconstruction": terms.reconstruction}
    for name, value in expected.items():
        own = Estimate.of(value)
        assert found[name].value == pytest.approx(own.value, rel=1e-4)
        assert found[name].standard_error == pytest.approx(own.standard_error, rel=1e-3)
        assert found[name].n == 12
    assert found["elbo"].value == pytest.approx(found["reconstruction"].value - found["kl"].value)


@pytest.mark.parametrize("likelihood", list(LIKELIHOODS))
def test_bits_per_dim_is_the_formula(likelihood: str) -> None:
    model, images = small(likelihood=likelihood), split()
    found = evaluate(model, images, importance_samples=0, seed=2)["bits_per_dim"]
    floats = to_float(torch.from_numpy(images.images))
    torch.manual_seed(2)
    with torch.no_grad():
        posterior = model.encode(floats)
        mass = model.decode(posterior.sample()).log_mass(floats)
        kl = torch.distributions.kl_divergence(posterior, model.prior())
    expected = ((kl - mass) / (PIXELS * math.log(2))).mean().item()
    assert found.value == pytest.approx(expected, rel=1e-4)
    assert found.value > 0


def test_bits_per_dim_is_above_the_code_length_of_the_tighter_bound() -> None:
    # A discretised likelihood's log-density is the mass itself: the bound, in bits a number, is the code length.
    model, images = small(likelihood="discretized-logistic"), split(40)
    found = evaluate(model, images, importance_samples=50)
    bits = PIXELS * math.log(2)
    assert found["bits_per_dim"].value == pytest.approx(-found["elbo"].value / bits, rel=1e-5)
    assert found["bits_per_dim"].value >= found["nll"].value / bits
    assert found["nll"].value <= -found["elbo"].value


def test_an_untrained_model_pays_about_eight_bits() -> None:
    found = evaluate(small(), split(40), importance_samples=0)["bits_per_dim"]
    assert 5 < found.value < 12


def test_reconstructions_are_those_of_the_mean_code() -> None:
    model, images = small(), split()
    found = evaluate(model, images, importance_samples=0)
    pictures = model.reconstruct(torch.from_numpy(images.images)).numpy().astype(float)
    errors = ((images.images - pictures) / 255) ** 2
    assert found["mse"].value == pytest.approx(errors.mean(), rel=0.01)
    psnr = -10 * np.log10(errors.mean((1, 2, 3)))
    assert found["psnr"].value == pytest.approx(psnr.mean(), rel=0.01)


def test_names_and_numbers_of_images() -> None:
    found = evaluate(small(), split(), importance_samples=3, nll_images=5)
    assert list(found) == NAMES
    assert {name: estimate.n for name, estimate in found.items()} == {**dict.fromkeys(NAMES, 12), "nll": 5}
    assert all(math.isfinite(estimate.value) for estimate in found.values())
    assert all(estimate.standard_error for estimate in found.values())


def test_limit_takes_the_first_images() -> None:
    model, images = small(), split(30)
    few = evaluate(model, images, limit=7, importance_samples=2, nll_images=100)
    alone = evaluate(model, ImageSplit(images.images[:7], None), importance_samples=2)
    assert few == alone
    assert {estimate.n for estimate in few.values()} == {7}
    assert evaluate(model, images, limit=500, importance_samples=0)["mse"].n == 30


def test_no_importance_samples_leave_nll_out() -> None:
    assert list(evaluate(small(), split(), importance_samples=0)) == NAMES[:-1]


def test_the_same_seed_gives_the_same_numbers_and_leaves_no_trace() -> None:
    model, images = small().train(), split()
    state = torch.random.get_rng_state()
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    first, again, other = (evaluate(model, images, importance_samples=2, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first["elbo"] != other["elbo"]
    assert first["mse"] == other["mse"]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.training
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())


def test_dropout_and_batch_norm_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    # Batches of another size see the same network: no statistics of the batch.
    model, images = small().train(), split()
    whole = values(evaluate(model, images, importance_samples=0))
    monkeypatch.setattr(module, "BATCH", 5)
    parts = values(evaluate(model, images, importance_samples=0))
    for name in ("kl", "mse", "psnr", "ssim"):  # the others follow the draw
        assert parts[name] == pytest.approx(whole[name], rel=0.02)


def test_colour_and_odd_sizes() -> None:
    model = small(channels=3, image_size=(9, 14))
    found = evaluate(model, split(3, 3, 9, 14), importance_samples=2)
    assert all(math.isfinite(estimate.value) for estimate in found.values())


def test_a_single_image_has_no_standard_error() -> None:
    found = evaluate(small(), split(1), importance_samples=2)
    assert {estimate.standard_error for estimate in found.values()} == {None}


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((4, 1, 8, 9), "The images are 8x9 with 1 channel; this model was trained on 8x8 with 1 channel"),
        ((4, 3, 8, 8), "The images are 8x8 with 3 channels; this model was trained on 8x8 with 1 channel"),
    ],
)
def test_images_of_another_kind(shape: tuple[int, int, int, int], words: str) -> None:
    with pytest.raises(UserError) as caught:
        evaluate(small(), split(*shape))
    assert words in str(caught.value)


def test_no_images() -> None:
    with pytest.raises(UserError, match="holds no images"):
        evaluate(small(), ImageSplit(np.zeros((0, 1, 8, 8), np.uint8), None))


def test_progress_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(small(), split(2), importance_samples=1, progress=True)
    said = capsys.readouterr()
    assert said.out == ""
    assert "metrics" in said.err
