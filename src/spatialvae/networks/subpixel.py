"""A transposed convolution that doubles a map, as an ordinary one with the new pixels in its channels."""

from __future__ import annotations

from typing import TypeGuard

from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

__all__ = ["SubpixelConvolution"]

STRIDE = 2


class SubpixelConvolution(nn.Module):
    """The function of a stride-2 `ConvTranspose2d` whose output is exactly twice its input, for inference.

        y[o, 2 q + r] = sum_{i, t} x[i, q + t] w[i, o, r + p - 2 t],   r in {0, 1}, on either axis

    The four pixels (r, c) that a pixel of x becomes are the channels of one convolution of x, so with few output
    channels (the three colours) a CPU's vector units see 12 of them instead of 3. After Shi et al., "Real-Time Single
    Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network", 2016.

    Shapes: [B I H W] to [B O 2H 2W], the channels of the output next to each other in memory.

    >>> import torch
    >>> layer, x = nn.ConvTranspose2d(4, 3, 5, stride=2, padding=2, output_padding=1), torch.randn(2, 4, 6, 7)
    >>> torch.allclose(SubpixelConvolution(layer)(x), layer(x), atol=1e-5)
    True
    """

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        """Raises ValueError for a layer that `fits` refuses."""
        super().__init__()
        if not self.fits(layer):
            raise ValueError(f"A sub-pixel form needs stride 2, an odd kernel and exactly twice the size; not {layer}.")
        # Padded to an even side, an index of the kernel has two digits: the tap t and the pixel r.
        weight = pad(layer.weight.detach(), (0, 1, 0, 1))
        i, o, rows, columns = weight.shape
        digits = weight.reshape(i, o, rows // 2, STRIDE, columns // 2, STRIDE).flip(2, 4)
        by_pixel = digits.permute(3, 5, 1, 0, 2, 4).reshape(-1, i, rows // 2, columns // 2)
        self.weight = nn.Parameter(by_pixel, requires_grad=False)
        bias = weight.new_zeros(o) if layer.bias is None else layer.bias.detach()
        self.bias = nn.Parameter(bias.repeat(STRIDE * STRIDE), requires_grad=False)
        self.padding = (rows // 4, columns // 4)

    @staticmethod
    def fits(layer: nn.Module) -> TypeGuard[nn.ConvTranspose2d]:
        """Whether `layer` has a sub-pixel form with as many taps before a pixel as after it."""
        return (
            isinstance(layer, nn.ConvTranspose2d)
            and layer.groups == 1
            and layer.stride == (STRIDE, STRIDE)
            and layer.dilation == (1, 1)
            and all(
                kernel == 2 * int(padding) + 1 and int(padding) % STRIDE == 0 and extra == 1
                for kernel, padding, extra in zip(layer.kernel_size, layer.padding, layer.output_padding, strict=True)
            )
        )

    def forward(self, maps: Tensor) -> Tensor:
        b, _, h, w = maps.shape
        pixels = conv2d(maps, self.weight, self.bias, padding=self.padding).permute(0, 2, 3, 1)
        by_row = pixels.reshape(b, h, w, STRIDE, -1).transpose(2, 3)  # [B H 2 W (2 O)]
        return by_row.reshape(b, STRIDE * h, STRIDE * w, -1).permute(0, 3, 1, 2)
