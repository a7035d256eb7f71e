"""From features to the numbers that a latent asks for: a fully connected layer, or 1x1 convolutions over the maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn

from spatialvae.errors import UserError
from spatialvae.latents import AbstractLatent

__all__ = ["ConvProjection", "DenseProjection", "Head", "area_weights"]

Head = Literal["dense", "conv"]
START = 0.1
"""Of torch's initial weights: at 1 the first step's KL is 0.4 nats a number, and more where two numbers multiply."""
PAIRS = {"row-pair": "row", "column-pair": "column"}
AXES = {"row": -2, "column": -1, "row-pair": -2, "column-pair": -1}
"""Where the axes of a map lie in maps [B, F, h, w]."""


class DenseProjection(nn.Linear):
    """One fully connected layer: features [B, *feature_shape], flattened -> [B, encoder_outputs]."""

    def __init__(self, latent: AbstractLatent, feature_shape: Sequence[int]) -> None:
        super().__init__(math.prod(feature_shape), latent.encoder_outputs)
        _near_zero(self)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(1))


class ConvProjection(nn.Module):
    """A 1x1 convolution for each parameter: feature maps [B, F, h', w'] -> [B, encoder_outputs].

    The maps are averaged onto the latent's grid (see `area_weights`), over the columns for a parameter that spans rows
    alone, over the rows for one that spans columns alone, and over both for one that spans neither; for pairs of rows
    the features of both rows lie behind one another. Every other axis, such as that of the maps, is one of channels.
    The weights therefore depend neither on the size of the image nor on that of the maps: those of one size serve a
    latent of another.

    Args:
        latent: says by `axes` what each parameter spans.
        feature_shape: (F, h', w') of the maps.

    Raises:
        UserError: the features are no maps, or the latent's axes do not fit its shapes.

    >>> from spatialvae.latents import LATENTS
    >>> small, large = (
    ...     ConvProjection(LATENTS["low-rank"](maps=4, height=size, width=size), (16, size, size)) for size in (3, 12)
    ... )
    >>> sum(weights.numel() for weights in small.parameters()), sum(weights.numel() for weights in large.parameters())
    (272, 272)
    """

    def __init__(self, latent: AbstractLatent, feature_shape: Sequence[int]) -> None:
        super().__init__()
        if len(feature_shape) != 3:
            raise UserError(
                f"`head` conv takes feature maps, and this encoder puts out {math.prod(feature_shape)} numbers: "
                "use dense, or an encoder that ends with maps."
            )
        self.latent = latent
        self.convolutions = nn.ModuleDict()
        if latent.axes.keys() != latent.shapes.keys():
            raise UserError(
                f"{type(latent).__name__} names the axes of {', '.join(latent.axes)}, and its shapes are of "
                f"{', '.join(latent.shapes)}: `head` conv needs the same names."
            )
        for name, axes in latent.axes.items():
            _check_axes(latent, name, axes)
            inputs = feature_shape[0] * (2 if PAIRS.keys() & set(axes) else 1)
            channels = math.prod(_channels(axes, latent.shapes[name]))
            layer = nn.Conv2d(inputs, channels, kernel_size=1)
            _near_zero(layer)
            self.convolutions[name] = layer

    def bias(self, name: str) -> Tensor | None:
        """The bias of a parameter's convolution, a number for each of its channels."""
        layer = self.convolutions[name]
        return layer.bias if isinstance(layer, nn.Conv2d) else None

    def start_as_codes(self) -> bool:
        """Make the mean the first feature maps and no other; False where the latent has no `loc` of a code's axes."""
        if self.latent.axes.get("loc") != ("map", "row", "column"):
            return False
        layer = self.convolutions["loc"]
        assert isinstance(layer, nn.Conv2d)
        nn.init.dirac_(layer.weight)
        return True

    def forward(self, features: Tensor) -> Tensor:
        maps = resized(features, (self.latent.height, self.latent.width))
        shapes, axes = self.latent.shapes, self.latent.axes
        parts = [
            _arranged(self.convolutions[name](_spanned(maps, axes[name])), axes[name], shape)
            for name, shape in shapes.items()
        ]
        return torch.cat(parts, dim=1)


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps [B, F, h', w'] averaged onto a grid of `size`, [B, F, h, w]; those of that size stay as they are."""
    height, width = size
    if maps.shape[-2] != height:
        maps = _weights(maps.shape[-2], height, maps) @ maps
    if maps.shape[-1] != width:
        maps = maps @ _weights(maps.shape[-1], width, maps).mT
    return maps


def _weights(given: int, wanted: int, like: Tensor) -> Tensor:
    """`area_weights` where `like` is; kept, since a copy in every step would stop a GPU's queue."""
    if torch.compiler.is_compiling():  # what is made while torch traces is no tensor with values
        return area_weights(given, wanted).to(like)
    return _kept_weights(given, wanted, like.device, like.dtype)


@cache
def _kept_weights(given: int, wanted: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):
        return area_weights(given, wanted).to(device=device, dtype=dtype)


def area_weights(given: int, wanted: int) -> Tensor:
    """The weights [wanted, given] that average a line of `given` cells onto `wanted`, each by the share it covers.

    >>> area_weights(4, 2)
    tensor([[0.5000, 0.5000, 0.0000, 0.0000],
            [0.0000, 0.0000, 0.5000, 0.5000]])
    >>> area_weights(2, 3)
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000],
            [0.0000, 1.0000]])
    """
    # In units of 1 / (given wanted) of the line every edge is a whole number.
    ours, theirs = torch.arange(wanted)[:, None] * given, torch.arange(given) * wanted
    overlap = torch.minimum(ours + given, theirs + wanted) - torch.maximum(ours, theirs)
    return overlap.clamp(min=0) / given


def _spanned(maps: Tensor, axes: tuple[str, ...]) -> Tensor:
    """The features of each cell that a parameter spans: an axis that it does not span has length 1."""
    spanned = {AXES[axis] for axis in axes if axis in AXES}
    lost = [dim for dim in (-2, -1) if dim not in spanned]
    maps = maps.mean(lost, keepdim=True) if lost else maps
    for axis in PAIRS.keys() & set(axes):
        dim = AXES[axis]
        first, second = torch.tril_indices(maps.shape[dim], maps.shape[dim], -1, device=maps.device)
        maps = torch.cat([maps.index_select(dim, first), maps.index_select(dim, second)], dim=1)
    return maps


def _arranged(outputs: Tensor, axes: tuple[str, ...], shape: tuple[int, ...]) -> Tensor:
    """A convolution's outputs [B, channels, h or 1, w or 1] as the numbers of a parameter of `shape`, row-major."""
    channels = [axis for axis in axes if axis not in AXES]
    outputs = outputs.reshape(len(outputs), *_channels(axes, shape), *outputs.shape[2:])
    places = {axis: 1 + place for place, axis in enumerate(channels)}
    places |= {axis: outputs.dim() + AXES[axis] for axis in axes if axis in AXES}
    order = [places[axis] for axis in axes]
    left = [dim for dim in range(1, outputs.dim()) if dim not in order]  # of length 1
    return outputs.permute(0, *order, *left).flatten(1)


def _channels(axes: tuple[str, ...], shape: tuple[int, ...]) -> list[int]:
    """The lengths of the axes that become channels."""
    return [size for axis, size in zip(axes, shape, strict=True) if axis not in AXES]


def _check_axes(latent: AbstractLatent, name: str, axes: tuple[str, ...]) -> None:
    """Refuse axes whose lengths are not those of the parameter's shape, or two that lie in the same place."""
    shape = latent.shapes[name]
    h, w = latent.height, latent.width
    lengths = {"row": h, "column": w, "row-pair": h * (h - 1) // 2, "column-pair": w * (w - 1) // 2}
    fits = len(axes) == len(shape) and all(lengths.get(axis, n) == n for axis, n in zip(axes, shape, strict=True))
    inside = [AXES[axis] for axis in axes if axis in AXES]
    if not fits or len(set(axes)) < len(axes) or len(set(inside)) < len(inside):
        raise UserError(
            f"The axes {', '.join(axes)} of {type(latent).__name__}'s {name} do not fit its shape {list(shape)} on "
            f"maps of {h}x{w}."
        )


def _near_zero(layer: nn.Linear | nn.Conv2d) -> None:
    """Give a layer small weights and no bias: means near 0 and scales near 1, whatever is made of the numbers."""
    with torch.no_grad():
        layer.weight.mul_(START)
        if layer.bias is not None:
            layer.bias.zero_()
