"""The sub-pixel form of a transposed convolution: the same function."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from spatialvae.networks import PaperDecoder
from spatialvae.networks.folding import folded, with_subpixels
from spatialvae.networks.subpixel import SubpixelConvolution


def doubling(kernel: tuple[int, int], channels: int = 3, *, bias: bool = True) -> nn.ConvTranspose2d:
    paddings = (kernel[0] // 2, kernel[1] // 2)
    return nn.ConvTranspose2d(5, channels, kernel, 2, paddings, output_padding=1, bias=bias).double()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kernel", "size"), [((5, 5), (4, 7)), ((1, 5), (3, 2)), ((9, 5), (1, 1)), ((1, 1), (2, 2))])
def test_same_function(kernel: tuple[int, int], size: tuple[int, int], bias: bool) -> None:
    layer, maps = doubling(kernel, bias=bias), torch.randn(3, 5, *size, dtype=torch.float64)
    assert_close(SubpixelConvolution(layer)(maps), layer(maps), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose2d(4, 3, 3, 2, 1, output_padding=1),  # one tap on one side alone
        nn.ConvTranspose2d(4, 3, 5, 2, 2),  # to 2 size - 1
        nn.ConvTranspose2d(4, 3, 5, 1, 2),
        nn.ConvTranspose2d(4, 4, 5, 2, 2, output_padding=1, groups=2),
        nn.ConvTranspose2d(4, 3, 5, 2, 4, output_padding=1, dilation=2),
        nn.Conv2d(4, 3, 5, padding=2),
    ],
)
def test_other_layers_have_no_such_form(layer: nn.Module) -> None:
    assert not SubpixelConvolution.fits(layer)
    with pytest.raises(ValueError, match="sub-pixel"):
        SubpixelConvolution(layer)  # pyright: ignore[reportArgumentType]


def test_only_layers_to_few_channels_change() -> None:
    network = folded(PaperDecoder((64, 6, 6), 3, (64, 64)).eval())
    changed = with_subpixels(network)
    assert [isinstance(layer, SubpixelConvolution) for layer in changed] == [*[False] * (len(network) - 1), True]
    codes = torch.randn(2, 64, 6, 6)
    assert_close(changed(codes), network(codes), rtol=1e-5, atol=1e-5)
