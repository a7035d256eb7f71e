"""Perceptual distances by files of both conventions, and files of neither."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from spatialvae.errors import UserError
from spatialvae.metrics.reconstruction.perceptual import PerceptualDistance
from spatialvae.metrics.samples import features
from tests.metrics.script_files import AssertsPairs, FloatsOnly, MeanColour, NotFinite, TwoImages, Vectors, saved


def pictures(count: int = 5, channels: int = 3, side: int = 8) -> tuple[Tensor, Tensor]:
    shape = (count, channels, side, side)
    return torch.randint(0, 256, shape, dtype=torch.uint8), torch.randint(0, 256, shape, dtype=torch.uint8)


def expected(network: nn.Module, images: Tensor, others: Tensor) -> Tensor:
    apart = images.double() - others.double()
    if isinstance(network, Vectors):
        return (apart / 10).square().sum((1, 2, 3))
    return (apart / 127.5).square().mean((1, 2, 3))


@pytest.mark.parametrize("network", [Vectors(), TwoImages()], ids=["vectors", "two images"])
def test_both_conventions(tmp_path: Path, network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(network, tmp_path / "vgg16.pt")
    distance, (images, others) = PerceptualDistance.open(path), pictures()
    assert (distance.name, distance.sha256) == ("vgg16", hashlib.sha256(path.read_bytes()).hexdigest())
    result = distance(images, others)
    assert result.shape == (5,)
    assert result.dtype == torch.float32
    assert not result.is_inference()
    torch.testing.assert_close(result.double(), expected(network, images, others), rtol=1e-5, atol=1e-6)
    assert distance(images, images).tolist() == [0] * 5
    monkeypatch.setattr(features, "AT_ONCE", 2)
    assert torch.equal(distance(images, others), result)


@pytest.mark.parametrize("network", [Vectors(), TwoImages()], ids=["vectors", "two images"])
def test_grey_images_are_repeated_and_one_is_enough(tmp_path: Path, network: nn.Module) -> None:
    distance, (images, others) = PerceptualDistance.open(saved(network, tmp_path / "a.pt")), pictures(1, 1)
    result = distance(images, others)
    assert result.shape == (1,)
    assert torch.equal(result, distance(images.repeat(1, 3, 1, 1), others.repeat(1, 3, 1, 1)))


def test_a_file_of_neither_convention(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="takes x: two images are wanted"):
        PerceptualDistance.open(saved(MeanColour(), tmp_path / "a.pt"))


def test_files_that_are_not_torchscript(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_text("hello")
    with pytest.raises(UserError, match=r"a.pt is not TorchScript"):
        PerceptualDistance.open(tmp_path / "a.pt")
    with pytest.raises(UserError, match="is not a file"):
        PerceptualDistance.open(tmp_path / "b.pt")


def test_distances_that_are_not_finite(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not finite"):
        PerceptualDistance.open(saved(NotFinite(), tmp_path / "a.pt"))(*pictures())


def test_a_network_that_refuses_the_images() -> None:
    layer = FloatsOnly().layer
    distance = PerceptualDistance("small", "0a", lambda one, other: layer(one.float()[..., :2, :2]).mean((1, 2, 3)))
    with pytest.raises(UserError, match=r"^small refuses images \[5, 3, 8, 8\]: .+$"):
        distance(*pictures())


def test_a_scripted_assertion_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^small refuses images \[5, 3, 8, 8\]: .*wrong size$"):
        PerceptualDistance.open(saved(AssertsPairs(), tmp_path / "small.pt"))(*pictures())


@pytest.mark.parametrize("shape", [(3,), (5, 2), ()])
def test_one_distance_a_pair_is_wanted(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="one distance each"):
        PerceptualDistance("odd", "0a", lambda one, other: torch.zeros(shape))(*pictures())


def test_images_of_another_kind(tmp_path: Path) -> None:
    distance = PerceptualDistance.open(saved(TwoImages(), tmp_path / "a.pt"))
    images, others = pictures()
    with pytest.raises(UserError, match="two of the same shape"):
        distance(images, others[:3])
    with pytest.raises(UserError, match="uint8 images"):
        distance(images.float(), others.float())
    with pytest.raises(UserError, match="1 or 3 channels"):
        distance(images[:, :2], others[:, :2])
