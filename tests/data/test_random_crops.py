"""Random crops: inside the image, a function of the step, and the picture that lies there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.testing import assert_close

from spatialvae.data.random_crops import CroppedBatches, crop_places, cropped
from spatialvae.training import train
from tests.training.tiny import same, settings, tiny_data, weights


def ramp() -> torch.Tensor:
    """Brightness that grows to the right in the first channel and down in the second."""
    along = torch.arange(20).mul(10).to(torch.uint8)
    return torch.stack([along.expand(16, 20), along[:16, None].expand(16, 20)])[None]


def test_places_lie_inside_and_differ() -> None:
    places = crop_places(2000, 3, least=0.6, seed=1)
    share, centres = places[:, :1], places[:, 1:]
    assert (np.abs(centres) <= 1 - share + 1e-6).all()
    assert 0.6 <= share.min() < 0.62
    assert 0.98 < share.max() <= 1
    assert abs(centres.mean()) < 0.02
    assert np.array_equal(places, crop_places(2000, 3, least=0.6, seed=1))
    for other in ({"step": 4}, {"seed": 2}, {"rank": 1}):
        values = {"step": 3, "seed": 1, "rank": 0, **other}
        step = values.pop("step")
        assert not np.array_equal(places, crop_places(2000, step, least=0.6, **values))


def test_a_crop_is_the_picture_at_its_place() -> None:
    # On a ramp linear interpolation is exact: pixel i of a crop of share s around c lies at the ramp's own value.
    share, right, down = 0.5, 0.3, -0.2
    made = cropped(ramp(), torch.tensor([[share, right, down]]))[0].double()
    for size, centre, values in ((20, right, made[0, 5]), (16, down, made[1, :, 5])):
        inside = (2 * (torch.arange(size) + 0.5) / size - 1) * share + centre
        pixels = ((inside + 1) / 2 * size - 0.5).clamp(0, size - 1)
        assert_close(values, 10 * pixels.double(), rtol=0, atol=0.51)


def test_the_whole_is_a_crop() -> None:
    images = torch.randint(0, 256, (3, 3, 9, 7), dtype=torch.uint8)
    assert torch.equal(cropped(images, torch.tensor([[1.0, 0.0, 0.0]]).expand(3, 3)), images)


def test_training_sees_crops_and_repeats_them(tmp_path: Path) -> None:
    for name, share in (("whole", 1.0), ("crops", 0.5), ("again", 0.5)):
        train(settings(random_crop=share), tiny_data(), tmp_path / name, progress=False)
    assert not same(weights(tmp_path / "whole"), weights(tmp_path / "crops"))
    assert same(weights(tmp_path / "crops"), weights(tmp_path / "again"))
    batches = CroppedBatches(lambda step: ramp().expand(4, -1, -1, -1) + step, 0.5, seed=0)
    assert torch.equal(batches(2), batches(2))
    assert len(torch.unique(batches(2), dim=0)) == 4
