"""Feature networks: both conventions, sizes, batches, and files that are none."""

from __future__ import annotations

import hashlib
import sys
import types
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from spatialvae.errors import UserError
from spatialvae.metrics.samples import features as module
from spatialvae.metrics.samples.features import FeatureNetwork, check_features, images_at_once
from tests.conftest import smooth_images
from tests.metrics.script_files import (
    Asserts,
    Counts,
    Divided,
    Dropping,
    FloatsOnly,
    MeanColour,
    OneSize,
    Pairs,
    Published,
    Summed,
    WithPlaces,
    saved,
)


def pictures(count: int, channels: int = 3, height: int = 16, width: int = 16) -> Tensor:
    return torch.from_numpy(smooth_images(count, channels, height, width))


def test_a_file_has_a_name_a_hash_and_a_title(tmp_path: Path) -> None:
    path = saved(MeanColour(), tmp_path / "mean-colour.pt")
    network = FeatureNetwork.open(path)
    assert network.name == "mean-colour"
    assert network.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not network.is_inception
    assert network.title == "Fréchet distance, mean-colour"


def test_features_are_the_networks_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = FeatureNetwork.open(saved(MeanColour(), tmp_path / "a.pt")), pictures(11)
    expected = images.double().mean((2, 3))
    for batches in ([images], images.split(3), iter([images[:10], images[10:]])):
        features = network.extract(batches)
        assert features.dtype == torch.float32
        assert features.shape == (11, 3)
        torch.testing.assert_close(features.double(), expected)
    monkeypatch.setattr(module, "AT_ONCE", 4)
    torch.testing.assert_close(network.extract([images]).double(), expected)


def test_no_graph_and_no_inference_tensor_comes_out(tmp_path: Path) -> None:
    features = FeatureNetwork.open(saved(MeanColour(), tmp_path / "a.pt")).extract([pictures(2)])
    assert not features.requires_grad
    assert not features.is_inference()


def test_the_network_is_in_eval_mode(tmp_path: Path) -> None:
    path = saved(Dropping().train(), tmp_path / "a.pt")
    assert FeatureNetwork.open(path).extract([pictures(2)]).abs().min() > 0


def test_the_published_inception_is_asked_for_features_and_known_by_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, images = saved(Published(), tmp_path / "inception-2015-12-05.pt"), pictures(3)
    assert FeatureNetwork.open(path).title == "Fréchet distance, inception-2015-12-05"
    assert FeatureNetwork.open(path).extract([images]).shape == (3, 3)
    monkeypatch.setattr(module, "INCEPTION_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    assert FeatureNetwork.open(path).title == "FID"
    assert FeatureNetwork.open(path).extract([images]).shape == (3, 3)


def test_grey_images_are_repeated(tmp_path: Path) -> None:
    network, grey = FeatureNetwork.open(saved(MeanColour(), tmp_path / "a.pt")), pictures(2, 1)
    assert torch.equal(network.extract([grey]), network.extract([grey.repeat(1, 3, 1, 1)]))


@pytest.mark.parametrize("side", [32, 64])
def test_images_of_a_size_that_the_network_refuses_are_resized(tmp_path: Path, side: int) -> None:
    network = FeatureNetwork.open(saved(OneSize(side), tmp_path / "a.pt"))
    assert network.resize(side, side) == "none"
    assert network.size(side, side) is None
    assert network.resize(48, 40) == f"bilinear antialiased to {side}x{side}"
    images = pictures(2, 3, 48, 40)
    features = network.extract([images]).reshape(2, 3, side, side)
    # Pillow's reducing bilinear filter is an antialiased one too, on whole numbers of its own rounding.
    for image, resized in zip(images, features, strict=True):
        planes = [Image.fromarray(plane.numpy()).resize((side, side), Image.Resampling.BILINEAR) for plane in image]
        expected = torch.stack([torch.frombuffer(bytearray(p.tobytes()), dtype=torch.uint8) for p in planes])
        assert (resized.flatten(1) - expected).abs().max() <= 1
    assert torch.equal(features, features.round())


@pytest.mark.parametrize("side", [64, 299])
def test_a_network_that_asserts_its_size_gets_it(tmp_path: Path, side: int) -> None:
    network = FeatureNetwork.open(saved(Asserts(side), tmp_path / "a.pt"))
    assert network.resize(16, 16) == f"bilinear antialiased to {side}x{side}"
    assert network.resize(side, side) == "none"
    features = network.extract([pictures(3)])
    torch.testing.assert_close(features, pictures(3).float().mean((2, 3)), rtol=0, atol=3.0)


def test_an_error_of_the_network_is_a_line(tmp_path: Path) -> None:
    few = FeatureNetwork.open(saved(Asserts(16, most=3), tmp_path / "few.pt"))
    with pytest.raises(UserError, match=r"^few refuses images \[4, 3, 16, 16\]: .*too many$"):
        few.extract([pictures(4)])
    with pytest.raises(UserError, match=r"^odd takes no uint8 images \[B 3 16 16\]: .*wrong size$"):
        FeatureNetwork.open(saved(Asserts(33), tmp_path / "odd.pt")).extract([pictures(4)])
    for error in (ValueError("why"), KeyError("why"), MemoryError("why"), torch.OutOfMemoryError("why")):
        own = FeatureNetwork("own", "0a", False, Mock(side_effect=[torch.zeros(2, 3), error]))
        with pytest.raises(UserError, match=r"^own refuses images \[4, 3, 16, 16\]: .*why"):
            own.extract([pictures(4)])


def test_a_network_is_tried_once_a_size() -> None:
    seen = []
    network = FeatureNetwork(
        "noted", "0a", False, lambda images: seen.append(len(images)) or images.float().mean((2, 3))
    )
    network.extract(pictures(6).split(3))
    assert seen == [2, 3, 3]


def test_large_images_go_through_few_at_a_time() -> None:
    assert images_at_once(32, 32) == 500
    assert images_at_once(299, 299) == 23
    assert images_at_once(4000, 4000) == 1
    seen = []
    inception = FeatureNetwork("i", "0a", True, lambda images: seen.append(len(images)) or images.float().mean((2, 3)))
    inception.extract([pictures(50)])
    assert max(seen) == 23  # it enlarges small ones by itself


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (FloatsOnly(), "takes no uint8 images [B 3 16 16]: "),
        (WithPlaces(), "puts out [4, 3, 16, 16] for 4 images: features [4 F] are wanted"),
        (Summed(), "puts out [3] for 4 images"),
        (Pairs(), "puts out a tuple for 4 images"),
        (Divided(), "not finite"),
        (Counts(), "not finite floating numbers"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_networks_of_another_kind(tmp_path: Path, network: nn.Module, words: str) -> None:
    opened = FeatureNetwork.open(saved(network, tmp_path / "odd.pt"))
    images = pictures(4)
    images[2] = 0
    with pytest.raises(UserError) as caught:
        opened.extract([images])
    assert str(caught.value).startswith("odd ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["empty", "text", "zip", "state", "cut"])
def test_files_that_are_not_torchscript(tmp_path: Path, kind: str) -> None:
    path = saved(MeanColour(), tmp_path / "net.pt")
    if kind == "state":
        torch.save({"weight": torch.zeros(2)}, path)
    else:
        whole = path.read_bytes()
        path.write_bytes({"empty": b"", "text": b"hello", "zip": b"PK\x03\x04" + bytes(90), "cut": whole[:-40]}[kind])
    with pytest.raises(UserError, match=r"net.pt is not TorchScript"):
        FeatureNetwork.open(path)


def test_no_such_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.pt", "incepton"):
        with pytest.raises(UserError, match="is not a file"):
            FeatureNetwork.open(path)


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ([], "no images"),
        ([pictures(0)], "no images"),
        ([pictures(1).float()], "float32 [1, 3, 16, 16] are not"),
        ([pictures(1, 2)], "1 or 3 channels"),
        ([pictures(1)[0]], "1 or 3 channels"),
        ([pictures(1), pictures(1, 3, 8, 8)], "16x16 with 3 channels and of 8x8 with 3 channels"),
    ],
)
def test_images_of_another_kind(tmp_path: Path, batches: list[Tensor], words: str) -> None:
    with pytest.raises(UserError) as caught:
        FeatureNetwork.open(saved(MeanColour(), tmp_path / "a.pt")).extract(batches)
    assert words in str(caught.value)


def test_inception_without_torch_fidelity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(UserError) as caught:
        FeatureNetwork.open("inception")
    assert 'pip install "spatialvae[fid]" -c constraints.txt' in str(caught.value)
    assert "TorchScript file" in str(caught.value)


def stand_in(monkeypatch: pytest.MonkeyPatch, extractor: object) -> None:
    """A torch-fidelity whose Inception is `extractor`."""
    source = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    source.FeatureExtractorInceptionV3 = extractor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, source.__name__, source)


def test_inception_of_torch_fidelity(monkeypatch: pytest.MonkeyPatch) -> None:
    class Extractor(nn.Module):
        def __init__(self, name: str, features_list: list[str]) -> None:
            super().__init__()
            assert features_list == ["2048"]
            self.weight = nn.Parameter(torch.full((2,), 3.0))

        def forward(self, images: Tensor) -> tuple[Tensor]:
            return (images.float().mean((2, 3)),)

    stand_in(monkeypatch, Extractor)
    network = FeatureNetwork.open("inception")
    assert (network.name, network.title, network.is_inception) == ("inception", "FID", True)
    assert network.sha256 == hashlib.sha256(b"weight" + torch.full((2,), 3.0).numpy().tobytes()).hexdigest()
    images = pictures(3)
    torch.testing.assert_close(network.extract([images]), images.float().mean((2, 3)))


def test_inception_whose_weights_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(name: str, features_list: list[str]) -> None:
        raise OSError("no route to host")

    stand_in(monkeypatch, offline)
    with pytest.raises(UserError, match=r"no route to host[\s\S]*TorchScript file"):
        FeatureNetwork.open("inception")


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (torch.zeros(1, 2), "at least 2 images"),
        (torch.zeros(4), "[n F]"),
        (torch.tensor([[0.0], [float("nan")]]), "not finite"),
        (torch.zeros(4, 3), "one network"),
    ],
)
def test_sets_of_features_that_cannot_be_compared(features: Tensor, words: str) -> None:
    for pair in ((features, torch.zeros(4, 2)), (torch.zeros(4, 2), features)):
        with pytest.raises(UserError) as caught:
            check_features(*pair)
        assert words in str(caught.value)
