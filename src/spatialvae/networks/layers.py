"""One layer down and one layer up, with the size of the map on either side said explicitly."""

from __future__ import annotations

from torch import nn

__all__ = ["Size", "down", "kernel_size", "up"]

Size = tuple[int, int]
"""(height, width) of a map or an image, in pixels."""

SMALLEST_TO_HALVE = 4
SMALLEST_WITHOUT_PADDING = 12


def down(width_in: int, width_out: int, size: Size, kernel: int, stride: int, padded: bool) -> tuple[nn.Module, Size]:
    """A convolution, batch norm and ELU; and the size of what it puts out.

    An axis of at most 4 is not halved again, and one under 12 keeps its padding, so that long thin images work.
    """
    strides = [stride if side > SMALLEST_TO_HALVE else 1 for side in size]
    paddings = [kernel // 2 if padded or side < SMALLEST_WITHOUT_PADDING else 0 for side in size]
    steps = zip(size, strides, paddings, strict=True)
    h, w = ((side + 2 * padding - kernel) // step + 1 for side, step, padding in steps)
    # No bias: batch norm's shift follows at once.
    convolution = nn.Conv2d(
        width_in, width_out, kernel, (strides[0], strides[1]), (paddings[0], paddings[1]), bias=False
    )
    return nn.Sequential(convolution, nn.BatchNorm2d(width_out), nn.ELU()), (h, w)


def up(width_in: int, width_out: int, size: Size, wanted: Size, kernel: int, activation: bool = True) -> nn.Module:
    """A transposed convolution that takes maps of `size` to exactly `wanted`, batch norm and ELU.

    Per axis the output is (size - 1) stride - 2 padding + kernel + output_padding. Doubling (also to 2 size - 1)
    uses stride 2; a step of two is a 3-wide kernel without padding, a step of one a 2-wide one.
    """
    axes = [_axis(a, b, kernel) for a, b in zip(size, wanted, strict=True)]
    kernels, strides, paddings, extras = (tuple(values) for values in zip(*axes, strict=True))
    convolution = nn.ConvTranspose2d(
        width_in,
        width_out,
        kernels,
        strides,
        paddings,
        output_padding=extras,
        bias=False,  # pyright: ignore[reportArgumentType]
    )
    norm = nn.BatchNorm2d(width_out)
    return nn.Sequential(convolution, norm, nn.ELU()) if activation else nn.Sequential(convolution, norm)


def kernel_size(size: Size, wanted: Size, kernel: int) -> tuple[int, int]:
    """The kernel that `up` uses between two map sizes.

    >>> kernel_size((6, 7), (8, 8), 3)
    (3, 2)
    """
    h, w = (_axis(a, b, kernel)[0] for a, b in zip(size, wanted, strict=True))
    return (h, w)


def _axis(size: int, wanted: int, kernel: int) -> tuple[int, int, int, int]:
    """(kernel, stride, padding, output padding) that take one axis from `size` to `wanted`."""
    half = kernel // 2
    if wanted == size:
        return kernel, 1, half, 0
    if wanted == size + 1 and size != 1:
        return 2, 1, 0, 0
    if wanted == size + 2 and size != 2:
        return 3, 1, 0, 0
    if wanted in (2 * size - 1, 2 * size):
        return kernel, 2, half, wanted - (2 * size - 1)
    raise ValueError(f"no layer takes a side of {size} to {wanted}")
