"""Decoders for drawing many pictures: fewer passes over memory, the fast number format, compiled where it pays."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from spatialvae.errors import last_line
from spatialvae.runtime.compilation import compiled_or_eager
from spatialvae.runtime.precision import fast_dtype, unrounded

__all__ = ["compiling_pays", "decoded_at_once", "fast_decoder"]

AT_ONCE = {"cpu": 100}
"""Codes that go through the decoder together: on a CPU few enough that a layer's maps stay in the cache."""
ACCELERATOR_AT_ONCE = 5000
COMPILE_FROM = 12_000_000_000
"""Numbers of all pictures together, a million pictures of 64x64 in colour: compiling takes 20 to 30 seconds, and saves
about a tenth of the time that a CPU takes for a picture."""
PROBES = 8
"""Codes that both forms of a decoder are compared on."""
ROUNDING, ROUNDING_BF16 = 0.5, 4.0
"""The largest difference of a pixel, in levels of 255, that number formats explain."""

Decode = Callable[[Tensor], Tensor]


def decoded_at_once(device: torch.device) -> int:
    """How many codes go through the decoder together."""
    return AT_ONCE.get(device.type, ACCELERATOR_AT_ONCE)


def compiling_pays(numbers: int, device: torch.device) -> bool:
    """Whether compiling the decoder takes less time than it saves over pictures of `numbers` numbers in all.

    A function of the count alone, so that the same call gives the same pictures. An accelerator never gets there: a
    second of its time is millions of pictures.
    """
    return device.type == "cpu" and numbers >= COMPILE_FROM


def fast_decoder(decoder: nn.Module, example: Tensor, *, compile: bool, outline: Decode = torch.tanh) -> Decode:
    """`decoder` in eval mode as a function from codes to its raw outputs in float32, for inference alone.

    A decoder with a method `fast` runs in the form that it returns, with the channels of a map next to each other,
    and in bf16 where that is fast (double precision stays as it is). Both forms are compared on a few codes, at
    every call, since nothing says reliably whether weights have changed: where they differ by more than rounding, or
    the fast one fails, the decoder runs as it is, with a warning. A decoder without that method runs as it is.

    Args:
        decoder: in eval mode.
        example: codes [B, maps, height, width] as those to come.
        compile: whether batches of as many codes as `example` go through a compiled network.
        outline: from raw outputs to pictures, clipped to [-1, 1], by which the two forms are compared.
    """
    run = _fast_form(decoder, example, outline) or (lambda codes: unrounded(decoder(codes)))
    if not compile:
        return run
    whole = compiled_or_eager(run, lambda function: function(example))
    return lambda codes: whole(codes) if codes.shape == example.shape else run(codes)


def _fast_form(decoder: nn.Module, example: Tensor, outline: Decode) -> Decode | None:
    """The decoder's fast form; None where it offers none, or one that computes something else."""
    offer = getattr(decoder, "fast", None)
    if not callable(offer):
        return None
    dtype = fast_dtype(example.device) if example.dtype == torch.float32 else example.dtype
    try:
        # A copy: what a decoder offers may be layers of its own, whose format has to stay.
        run = _in_format(copy.deepcopy(cast(nn.Module, offer())), dtype)
        difference = _difference(decoder, run, example, dtype, outline)
    except Exception as error:  # other people's code, beside a plain form that works
        run, difference = None, f"it fails: {type(error).__name__}: {last_line(error)}"
    if not difference:
        return run
    name = type(decoder).__name__
    warnings.warn(f"The fast form of {name} is not used, but its plain form: {difference}.", stacklevel=2)
    return None


def _in_format(network: nn.Module, dtype: torch.dtype) -> Decode:
    """A network, which is changed for it, as a function that computes in `dtype` with channels last."""
    network = network.eval().requires_grad_(False)
    network = network.to(dtype=dtype, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return lambda codes: unrounded(network(codes.to(dtype=dtype, memory_format=torch.channels_last)))


def _difference(decoder: nn.Module, run: Decode, example: Tensor, dtype: torch.dtype, outline: Decode) -> str:
    """How far the two forms' pictures of a few codes are apart, in words; nothing where rounding explains it."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(PROBES, *example.shape[1:], generator=generator).to(example)
    with torch.no_grad():
        outputs, fast = unrounded(decoder(codes)), run(codes)
        if outputs.shape != fast.shape:
            return f"it puts out {list(fast.shape)}, not {list(outputs.shape)}"
        plain, fast = outline(outputs).clamp(-1, 1), outline(fast).clamp(-1, 1)
    levels = 127.5 * (plain - fast).abs()[plain.isfinite()]
    largest = float(levels.max()) if len(levels) else 0.0
    rounding = ROUNDING_BF16 if dtype == torch.bfloat16 else ROUNDING
    return "" if largest <= rounding else f"a pixel differs by {largest:.3g} of 255"
