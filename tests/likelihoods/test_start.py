"""Scales start where the pixels of data are about their means."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from spatialvae.config import ModelConfig
from spatialvae.likelihoods import LIKELIHOODS
from spatialvae.model import SpatialVAE
from tests.likelihoods.levels import built

LOGISTIC = math.pi / math.sqrt(3)
"""The standard deviation of a logistic of scale 1."""
DEVIATIONS = {
    "gaussian": 1.0,
    "logistic": LOGISTIC,
    "gaussian:scale=pixel": 1.0,
    "logistic:scale=pixel": LOGISTIC,
    "logistic-mixture:components=1": LOGISTIC / 4,  # the widest of components whose middle is a fourth of it
    "logistic-mixture:components=5": LOGISTIC,
    "pixelcnn:layers=1,width=2": LOGISTIC,
}


def middle_scale(spec: str, output: Tensor, likelihood: torch.nn.Module) -> Tensor:
    pixels = likelihood(output)
    scale: Tensor = pixels._mixture(pixels.output).scale if spec.startswith("pixelcnn") else pixels.scale
    return scale.flatten().sort().values[(scale.numel() - 1) // 2]


@pytest.mark.parametrize("spec", DEVIATIONS)
@pytest.mark.parametrize("deviation", [0.03, 0.2, 2.0])
def test_a_started_scale_has_the_deviation(spec: str, deviation: float) -> None:
    likelihood = built(spec, 1)
    likelihood.start_scale(deviation)
    scale = middle_scale(spec, torch.zeros(1, likelihood.outputs(1), 1, 1), likelihood)
    # The ratios of a mixture are of what lies above the floor, and softplus bends for wide ones.
    assert scale.item() * DEVIATIONS[spec] == pytest.approx(deviation, rel=0.1 if "components=1" in spec else 1e-4)


@pytest.mark.parametrize("spec", DEVIATIONS)
def test_a_deviation_of_nothing_starts_above_the_floor(spec: str) -> None:
    likelihood = built(spec, 1)
    likelihood.start_scale(0.0)
    output = torch.zeros(1, likelihood.outputs(1), 1, 1)
    assert middle_scale(spec, output, likelihood) > 0
    assert likelihood(output).log_prob(torch.zeros(1, 1, 1, 1)).isfinite().all()


def test_the_components_scales_lie_around_the_started_one() -> None:
    likelihood = LIKELIHOODS.parse("logistic-mixture")
    likelihood.start_scale(0.1)
    ratios = likelihood(torch.zeros(1, 15, 1, 1)).scale.flatten() / (0.1 / LOGISTIC)  # pyright: ignore[reportAttributeAccessIssue]
    assert_close(ratios, torch.tensor([4.0, 2.0, 1.0, 0.5, 0.25]), rtol=0.1, atol=0)


@pytest.mark.parametrize("spec", ["gaussian:scale=pixel", "logistic:scale=pixel", "logistic-mixture", "pixelcnn"])
def test_weights_of_before_load_with_the_scales_that_they_had(spec: str) -> None:
    likelihood = built(spec, 1)
    output, value = torch.randn(2, likelihood.outputs(1), 3, 3), torch.zeros(2, 1, 3, 3)
    before = likelihood(output).log_prob(value)
    stored = {name: part.clone() for name, part in likelihood.state_dict().items()}
    del stored["offset.value"]
    likelihood.start_scale(0.01)
    assert not torch.allclose(likelihood(output).log_prob(value), before)
    likelihood.load_state_dict(stored)
    assert torch.equal(likelihood(output).log_prob(value), before)
    assert "offset.value" not in stored


@pytest.mark.parametrize("spec", ["gaussian:scale=pixel,mean=linear", "logistic-mixture", "pixelcnn:layers=1,width=2"])
def test_a_model_starts_from_the_error_of_its_mean(spec: str) -> None:
    config = ModelConfig(
        network="residual", latent="naive", maps=2, map_size="2", likelihood=spec, image_size=(8, 8), channels=1
    )
    model = SpatialVAE.from_config(config).eval()
    row = torch.linspace(40, 200, 8).expand(30, 1, 8, 8)
    images = (row + 12 * torch.randn(30, 1, 8, 8)).clamp(0, 255).to(torch.uint8)
    model.start_from(images)
    with torch.no_grad():
        mean = model.encode(images).mean
        error = (model.decode(mean).outline - (images / 127.5 - 1)).square().mean().sqrt()
        scale = middle_scale(spec, model.decoder(mean), model.likelihood)
        deviation = DEVIATIONS["gaussian" if spec.startswith("gaussian") else "logistic"]
    assert 0.05 < error < 0.12
    # PCA's noise counts the directions that it keeps out of so few images' variance, and is a little more.
    assert 0.999 * error < scale * deviation < 1.1 * error
