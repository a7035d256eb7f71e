"""What stands for p(x|z) in a picture: its mean, its mode, or a draw from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

from spatialvae.errors import UserError, nearest
from spatialvae.likelihoods.base import AbstractPixels
from spatialvae.seeding import stream_seed

__all__ = ["Pixels", "shown"]

Pixels = Literal["mean", "mode", "sample"]
"""The expected picture, the likeliest, or one that is drawn from the likelihood, with its noise."""

NOISE = 1
"""The stream of a seed that the pixels' noise comes from: not the codes' own."""


def shown(pixels: Pixels, seed: int | None = None) -> Callable[[AbstractPixels], Tensor]:
    """A function from p(x|z) to pictures [B C H W].

    The noise of draws is made on the CPU, image after image: it depends neither on the device nor on how many images
    are decoded together.

    Args:
        pixels: what the pictures are.
        seed: of the draws; None takes it from torch's generator.

    Raises:
        UserError: `pixels` is no such word.

    >>> from spatialvae.likelihoods import Gaussian
    >>> distribution = Gaussian(scale=0.1)(torch.zeros(2, 1, 1, 1))
    >>> shown("mean")(distribution).flatten(), torch.equal(*(shown("sample", seed=1)(distribution) for _ in "12"))
    (tensor([0., 0.]), True)
    """
    if pixels not in get_args(Pixels):
        raise UserError(f"`pixels` {pixels!r} is not possible. {nearest(str(pixels), get_args(Pixels))}")
    if pixels == "mean":
        return lambda distribution: distribution.mean
    if pixels == "mode":
        return lambda distribution: distribution.mode
    start = int(torch.randint(2**62, ())) if seed is None else seed
    generator = torch.Generator().manual_seed(stream_seed(start, NOISE))
    return lambda distribution: distribution.drawn(
        torch.rand(distribution.batch_shape + distribution.noise_shape, generator=generator)
    )
