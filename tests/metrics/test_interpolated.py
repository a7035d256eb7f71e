"""The interpolated Fréchet distance: the middle of neighbouring codes, decoded, against the images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spatialvae import metrics
from spatialvae.config import ModelConfig
from spatialvae.data.pixels import to_uint8
from spatialvae.errors import UserError
from spatialvae.metrics.samples.features import FeatureNetwork
from spatialvae.metrics.samples.frechet import frechet_distance
from spatialvae.metrics.samples.interpolated import halfway
from spatialvae.model import SpatialVAE
from tests.metrics.script_files import MeanColour, saved
from tests.training.tiny import tiny_data

SETTINGS = ModelConfig(latent="naive", maps=2, image_size=(8, 8), channels=1)


def test_halfway_is_to_the_nearest_other_code() -> None:
    torch.manual_seed(0)
    codes = torch.randn(40, 6)
    distances = torch.cdist(codes, codes).fill_diagonal_(torch.inf)
    assert torch.equal(halfway(codes), (codes + codes[distances.argmin(1)]) / 2)
    twice = torch.cat([codes[:5], codes[:5]])
    torch.testing.assert_close(halfway(twice), twice)  # a copy is nearest, though at distance 0


def test_it_is_the_distance_of_the_decoded_middles(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, data = SpatialVAE.from_config(SETTINGS).eval(), tiny_data()
    path = saved(MeanColour(), tmp_path / "colour.pt")
    measured = metrics.evaluate(model, data, metrics="interpolated_frechet", features=str(path))
    images = torch.from_numpy(data.split("test").images.copy())
    with torch.no_grad():
        codes = halfway(model.encode(images).mean.flatten(1)).reshape(-1, 2, 3, 3)
        pictures = to_uint8(model.decode(codes).mean)
    network = FeatureNetwork.open(str(path))
    wanted = frechet_distance(network.extract([pictures]), network.extract([images]))
    assert list(measured.metrics) == ["interpolated_frechet"]
    assert measured.metrics["interpolated_frechet"].value == pytest.approx(wanted, rel=1e-3)
    assert measured.provenance.features is not None
    assert measured.provenance.features.sha256 == network.sha256


def test_too_few_images_and_no_features(tmp_path: Path) -> None:
    model, path = SpatialVAE.from_config(SETTINGS).eval(), saved(MeanColour(), tmp_path / "colour.pt")
    measured = metrics.evaluate(model, tiny_data(), metrics="interpolated_frechet", features=str(path), limit=2)
    assert "codes are interpolated between three or more" in measured.failed["interpolated_frechet"]
    with pytest.raises(UserError, match="feature network"):
        metrics.evaluate(model, tiny_data(), metrics="interpolated_frechet")
