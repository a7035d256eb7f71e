"""The shapes that networks put out, found by one try on zeros."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from spatialvae.errors import UserError, last_line
from spatialvae.runtime.evaluating import evaluating

__all__ = [
    "Shape",
    "check_image_shape",
    "check_images",
    "check_outputs",
    "codes_in",
    "count_flops",
    "feature_shape",
    "output_shape",
]

Shape = tuple[int, int, int]
"""Channels or maps, height and width."""


def check_image_shape(shape: Sequence[int]) -> Shape:
    """(C, H, W) as a tuple.

    Raises:
        UserError: anything else than three whole numbers of at least 1.
    """
    if len(shape) != 3 or not all(isinstance(side, int) and side >= 1 for side in shape):
        raise UserError(f"image_shape={shape!r} is not possible: it is (channels, height, width), such as (3, 64, 64).")
    channels, height, width = shape
    return channels, height, width


def check_images(images: Tensor, shape: Shape) -> None:
    """Refuse images that are not [B, *shape].

    Raises:
        ValueError: with both shapes.
    """
    if images.shape[1:] != shape:
        raise ValueError(
            f"images came with shape {list(images.shape)}; this model wants {spelled(shape)}, uint8 or floats in "
            "[-1, 1]."
        )


def feature_shape(encoder: nn.Module, image_shape: Shape) -> tuple[int, ...]:
    """The shape of the features of one image, (F,) or (F, h, w).

    An encoder may have it as its attribute `feature_shape`; any other is tried on one image.

    Raises:
        UserError: the encoder cannot take such images, or puts out something else than features or maps.

    >>> feature_shape(nn.Conv2d(3, 16, 5, stride=2), (3, 9, 9))
    (16, 3, 3)
    """
    given = getattr(encoder, "feature_shape", None)
    shape = output_shape(encoder, image_shape) if given is None else tuple(given)
    if len(shape) not in (1, 3):
        raise UserError(
            f"The encoder {_name(encoder)} puts out {spelled(shape)} for images {spelled(image_shape)}: "
            "it should be features [B, F] or maps [B, F, h, w]."
        )
    return shape


def codes_in(encoder: nn.Module) -> int:
    """How many of the first feature maps of an encoder are a code already: its attribute `codes`, none without it."""
    return getattr(encoder, "codes", 0)


def check_outputs(decoder: nn.Module, code_shape: Shape, wanted: Shape) -> None:
    """Refuse a decoder that does not take codes to the likelihood's parameters, (outputs, H, W).

    Raises:
        UserError: with both shapes.
    """
    shape = output_shape(decoder, code_shape)
    if shape != tuple(wanted):
        raise UserError(
            f"The decoder {_name(decoder)} puts out {spelled(shape)} for codes {spelled(code_shape)}:\n"
            f"these images and their likelihood need {spelled(wanted)}."
        )


@torch.no_grad()
def output_shape(network: nn.Module, input_shape: Sequence[int]) -> tuple[int, ...]:
    """The shape that a network puts out for one input of zeros, both without the batch.

    The network runs in evaluation mode and gets its modes back; the random generators stay where they are.

    Raises:
        UserError: the network cannot take such an input, or does not return one tensor with a batch.
    """
    weights = next(chain(network.parameters(), network.buffers()), torch.empty(0))
    inputs = torch.zeros(1, *input_shape, dtype=weights.dtype, device=weights.device)
    devices = [weights.device] if weights.device.type == "cuda" else []
    try:
        with evaluating(network), torch.random.fork_rng(devices=devices):
            outputs = network(inputs)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise UserError(
            f"{_name(network)} cannot take {spelled(input_shape)}: {type(error).__name__}: {last_line(error)}"
        ) from error
    if not isinstance(outputs, Tensor) or outputs.dim() < 2 or len(outputs) != 1:
        kind = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise UserError(f"{_name(network)} puts out {kind} for one input: a tensor with a batch [1, ...] is needed.")
    return tuple(outputs.shape[1:])


@torch.no_grad()
def count_flops(network: nn.Module, input_shape: Sequence[int]) -> int:
    """Floating point operations of convolutions and products for one input, two for a multiplication and an addition.

    >>> count_flops(nn.Conv2d(3, 8, 1, bias=False), (3, 5, 5))
    1200
    """
    weights = next(chain(network.parameters(), network.buffers()), torch.empty(0))
    with evaluating(network), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *input_shape, dtype=weights.dtype, device=weights.device))
    return counter.get_total_flops()


def spelled(shape: Sequence[int]) -> str:
    """A shape with its batch, in words.

    >>> spelled((3, 8, 8))
    '[B, 3, 8, 8]'
    """
    return f"[{', '.join(['B', *map(str, shape)])}]"


def _name(network: nn.Module) -> str:
    return type(network).__name__
