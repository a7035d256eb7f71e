"""The paper's stacks: the authors' counts at 64x64, the named layers at 32x32, one shared trunk."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from spatialvae.config import ModelConfig
from spatialvae.model import SpatialVAE
from spatialvae.networks import PaperDecoder, PaperEncoder, feature_shape
from spatialvae.networks.paper import join_size, matched_widths, stem_parameters, stem_sizes
from spatialvae.sizes import default_grid

CELEBA, CIFAR = (64, 64), (32, 32)
LATENTS = ["vector", "naive", "matrix-normal", "low-rank"]
SIZES = [(8, 8), (16, 16), (28, 28), (32, 32), (33, 47), (48, 48), (64, 64), (65, 65), (96, 96), (100, 40), (128, 128)]


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def convolutions(module: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]


def make(latent: str, image_size: tuple[int, int] = CELEBA, **options: object) -> SpatialVAE:
    return SpatialVAE.from_config(ModelConfig(latent=latent, image_size=image_size, **options))  # pyright: ignore[reportArgumentType]


def test_the_authors_count_of_parameters() -> None:
    model = make("low-rank", likelihood="gaussian:scale=1")
    assert (model.latent.maps, count(model)) == (64, 3_893_750)
    assert count(model.decoder) == 95_190
    # A learned scale is one more number.
    assert count(make("low-rank")) == 3_893_751


def test_the_encoder_at_64() -> None:
    encoder = PaperEncoder(3, CELEBA)
    layers = convolutions(encoder)
    assert [(layer.out_channels, layer.kernel_size, layer.stride, layer.padding) for layer in layers] == [
        (32, (5, 5), (2, 2), (2, 2)),
        (64, (5, 5), (2, 2), (2, 2)),
        (128, (5, 5), (2, 2), (0, 0)),
    ]
    assert feature_shape(encoder, (3, *CELEBA)) == (128, 6, 6)


@pytest.mark.parametrize(
    ("latent", "image_size", "encoder_layers", "decoder_layers"),
    [
        ("low-rank", CELEBA, 3, 5),
        ("naive", CELEBA, 3, 5),
        ("vector", CELEBA, 3, 6),
        ("low-rank", CIFAR, 4, 4),
        ("matrix-normal", CIFAR, 4, 4),
        ("vector", CIFAR, 4, 5),
    ],
)
def test_numbers_of_layers(latent: str, image_size: tuple[int, int], encoder_layers: int, decoder_layers: int) -> None:
    model = make(latent, image_size)
    assert len(convolutions(model.encoder)) == encoder_layers
    assert len(convolutions(model.decoder)) == decoder_layers
    assert len([layer for layer in model.encoder.modules() if isinstance(layer, nn.Linear)]) == 0
    assert len([layer for layer in model.posterior.modules() if isinstance(layer, nn.Linear)]) == 1


@pytest.mark.parametrize(
    ("latent", "sides", "channels"),
    [
        ("low-rank", [3, 6, 8, 16, 32, 64], [64, 64, 32, 32, 16, 3]),
        ("vector", [1, 3, 6, 8, 16, 32, 64], None),
    ],
)
def test_the_decoder_at_64(latent: str, sides: list[int], channels: list[int] | None) -> None:
    model = make(latent).eval()
    seen = []
    for layer in convolutions(model.decoder):
        layer.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0].shape, output.shape)))
    model.decoder(torch.zeros(1, *model.latent.event_shape))
    assert [seen[0][0][-1], *(after[-1] for _, after in seen)] == sides
    if channels:
        assert [layer.in_channels for layer in convolutions(model.decoder)] + [3] == channels
    kernels = [layer.kernel_size for layer in convolutions(model.decoder)]
    assert kernels == [(3, 3)] * (len(kernels) - 3) + [(5, 5)] * 3


def test_the_authors_own_vector_stem() -> None:
    model = make("vector", network="paper:stem=authors")
    assert [layer.in_channels for layer in convolutions(model.decoder)] == [81, 64, 48, 32, 32, 16]
    assert shapes(model.decoder.get_submodule("trunk")) == shapes(make("vector").decoder.get_submodule("trunk"))
    # The option is the vector's: the maps' decoder is the authors' already.
    assert shapes(make("low-rank", network="paper:stem=authors")) == shapes(make("low-rank"))


@pytest.mark.parametrize("image_size", SIZES, ids=str)
def test_all_but_the_first_and_last_layers_are_shared(image_size: tuple[int, int]) -> None:
    models = [make(latent, image_size) for latent in LATENTS]
    for part in ("encoder", "decoder.trunk"):
        assert len({str(shapes(model.get_submodule(part))) for model in models}) == 1, part
    for model in models[1:]:
        assert shapes(model.decoder) == shapes(models[1].decoder)


@pytest.mark.parametrize("image_size", SIZES, ids=str)
@pytest.mark.parametrize("spec", ["vector", "vector:maps=1", "vector:maps=576"])
def test_decoders_have_nearly_the_same_count(image_size: tuple[int, int], spec: str) -> None:
    wanted, actual = count(make("low-rank", image_size).decoder), count(make(spec, image_size).decoder)
    assert actual == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize(("height", "width"), [(1, 3), (2, 2), (3, 5), (5, 5), (8, 8), (12, 12)])
def test_the_vector_follows_other_grids(height: int, width: int) -> None:
    size = f"{height}x{width}"
    maps = make("low-rank", map_size=size, maps=32)
    vector = make("vector", map_size=size, maps=32)
    assert shapes(maps.decoder.get_submodule("trunk")) == shapes(vector.decoder.get_submodule("trunk"))
    assert count(vector.decoder) == pytest.approx(count(maps.decoder), rel=0.05)


def test_matched_widths_fall_towards_the_join() -> None:
    join = join_size(CELEBA, (3, 3))
    sizes, reference = stem_sizes((1, 1), join), stem_sizes((3, 3), join)
    widths = matched_widths((81, 1, 1), sizes, (64, 3, 3), reference)
    assert len(widths) == len(sizes) - 2
    assert all(first >= second for first, second in pairwise(widths))
    stem = PaperDecoder((81, 1, 1), 3, CELEBA, reference=(64, 3, 3)).stem
    assert stem_parameters([81, *widths, 32], sizes) == count(stem)


def test_batch_norm_and_elu_follow_every_layer_but_the_last() -> None:
    model = make("low-rank")
    kinds = [type(layer).__name__ for layer in [*model.encoder.modules()] if not list(layer.children())]
    assert kinds == ["Conv2d", "BatchNorm2d", "ELU"] * 3 + ["Dropout"]
    kinds = [type(layer).__name__ for layer in [*model.decoder.modules()] if not list(layer.children())]
    assert kinds == ["ConvTranspose2d", "BatchNorm2d", "ELU"] * 4 + ["ConvTranspose2d", "BatchNorm2d"]
    assert [layer.p for layer in model.encoder.modules() if isinstance(layer, nn.Dropout)] == [pytest.approx(0.1)]


def test_default_grids_are_the_papers() -> None:
    assert default_grid(CELEBA) == (64, 3, 3)
    assert default_grid(CIFAR) == (128, 3, 3)
    for size in SIZES:
        maps, height, width = default_grid(size)
        assert maps >= 1
        assert 3 <= height <= size[0]
        assert 3 <= width <= size[1]
        assert maps * height * width < 3 * math.prod(size)
