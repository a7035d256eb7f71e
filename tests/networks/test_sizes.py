"""Any image size, any number of channels, any map size: what goes in comes out."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from spatialvae.networks import PaperDecoder, PaperEncoder, feature_shape
from spatialvae.networks.layers import down, kernel_size, up
from spatialvae.networks.paper import join_size, stem_sizes
from spatialvae.sizes import default_grid

SIZES = [
    (8, 8), (9, 9), (8, 9), (11, 13), (16, 16), (17, 31), (28, 28), (32, 32), (33, 33), (47, 48), (50, 30),
    (64, 64), (65, 65), (63, 63), (100, 8), (8, 100), (64, 48), (96, 96), (129, 70),
]  # fmt: skip
sides = st.integers(8, 70)


def passes(code: tuple[int, int, int], channels: int, image_size: tuple[int, int]) -> None:
    encoder = PaperEncoder(channels, image_size).eval()
    with torch.no_grad():
        features = encoder(torch.rand(2, channels, *image_size) * 2 - 1)
    assert features.shape == (2, *feature_shape(encoder, (channels, *image_size)))
    assert torch.isfinite(features).all()
    decodes(code, channels, image_size)


def decodes(code: tuple[int, int, int], channels: int, image_size: tuple[int, int]) -> None:
    with torch.no_grad():
        images = PaperDecoder(code, channels, image_size).eval()(torch.randn(2, *code))
    assert images.shape == (2, channels, *image_size)
    assert torch.isfinite(images).all()


@pytest.mark.parametrize("image_size", SIZES, ids=str)
def test_the_default_grid_of_every_size(image_size: tuple[int, int]) -> None:
    _, height, width = default_grid(image_size)
    passes((2, height, width), 3, image_size)
    passes((5, 1, 1), 3, image_size)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_number_of_channels(channels: int) -> None:
    passes((2, 3, 3), channels, (16, 12))


@pytest.mark.parametrize("image_size", [(8, 8), (9, 12), (16, 16), (20, 9)], ids=str)
def test_maps_up_to_the_size_of_the_image(image_size: tuple[int, int]) -> None:
    for height in range(1, image_size[0] + 1):
        for width in {1, image_size[1], min(height, image_size[1])}:
            decodes((1, height, width), 1, image_size)


@settings(max_examples=40, deadline=None)
@given(sides, sides, st.data())
def test_any_size_and_any_map(height: int, width: int, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    passes((1, rows, columns), 1, (height, width))


@settings(max_examples=300, deadline=None)
@given(st.integers(8, 600), st.integers(8, 600), st.data())
def test_every_latent_reaches_the_join(height: int, width: int, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    join = join_size((height, width), (rows, columns))
    assert rows <= join[0] <= height
    assert columns <= join[1] <= width
    for code in [(rows, columns), (1, 1)]:
        sizes = stem_sizes(code, join)
        assert (sizes[0], sizes[-1]) == (code, join)
        for a, b in pairwise(sizes):
            kernel_size(a, b, 3)  # raises where no layer takes one size to the next


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", range(1, 12))
def test_a_layer_up_gives_what_is_wanted(size: int, kernel: int) -> None:
    steps = {size, 2 * size} | ({2 * size - 1} if size > 1 else set())
    steps |= {size + 1} if size != 1 else set()
    steps |= {size + 2} if size > 2 or size == 1 else set()
    for wanted in steps:
        layer = up(2, 3, (size, size), (wanted, size), kernel).eval()
        assert layer(torch.zeros(1, 2, size, size)).shape == (1, 3, wanted, size)
        area = next(conv for conv in layer.modules() if isinstance(conv, nn.ConvTranspose2d)).kernel_size
        assert area == kernel_size((size, size), (wanted, size), kernel)


def test_an_impossible_layer_up_is_named() -> None:
    with pytest.raises(ValueError, match="no layer takes a side of 3 to 9"):
        up(1, 1, (3, 3), (9, 3), kernel=3)


@pytest.mark.parametrize("size", [(1, 9), (4, 4), (5, 13), (11, 12), (64, 3)], ids=str)
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padded", [True, False])
def test_a_layer_down_says_its_size(size: tuple[int, int], kernel: int, stride: int, padded: bool) -> None:
    layer, description = down(2, 3, size, kernel, stride, padded)
    assert layer.eval()(torch.zeros(1, 2, *size)).shape == (1, 3, *description)


def test_evaluation_is_deterministic_and_training_is_not() -> None:
    encoder = PaperEncoder(1, (16, 16))
    images = torch.rand(4, 1, 16, 16) * 2 - 1
    assert not torch.equal(encoder(images), encoder(images))  # dropout
    encoder.eval()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    whole = encoder(images)
    assert torch.equal(whole, encoder(images))
    # Running statistics: an image's features do not depend on the rest of its batch.
    assert_close(whole[:1], encoder(images[:1]))
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    decoder = PaperDecoder((2, 3, 3), 1, (16, 16)).eval()
    codes = torch.randn(4, 2, 3, 3)
    assert_close(decoder(codes)[:1], decoder(codes[:1]))
