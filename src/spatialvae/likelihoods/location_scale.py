"""Likelihoods of a mean and a scale: one scale for all pixels, fixed or learned, or one from the decoder for each."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from spatialvae.errors import UserError
from spatialvae.likelihoods.base import AbstractLikelihood
from spatialvae.options import check_options
from spatialvae.runtime.precision import unrounded

__all__ = ["AbstractLocationScale", "positive_scale"]


class AbstractLocationScale(AbstractLikelihood):
    """What `gaussian` and `logistic` share: the options `scale` and `mean`, and what is made of them.

    Args:
        scale: a number fixes the scale; None learns one for all pixels, floor + exp(log_scale); `pixel` takes one for
            each pixel and channel from the decoder, see `positive_scale`. Both begin at `initial`.
        mean: tanh(output), or linear, the output itself.

    Raises:
        UserError: `scale` is neither `pixel` nor a positive number, or `mean` is no such word.
    """

    initial: ClassVar[float]
    """The scale that training starts from."""
    floor: ClassVar[float]
    """The smallest scale that is learned for all pixels: a density would grow without end on flat images."""
    pixel_floor: ClassVar[float]
    """The smallest scale of one pixel."""
    deviation: ClassVar[float] = 1.0
    """The standard deviation of noise whose scale is 1."""
    log_scale: Tensor

    def __init__(self, scale: float | Literal["pixel"] | None = None, mean: Literal["tanh", "linear"] = "tanh") -> None:
        super().__init__()
        if isinstance(scale, int | float) and not 0 < scale < math.inf:
            raise UserError(f"scale={scale} is not possible: scale is a positive number, for instance scale=0.1.")
        self.scale, self.mean = scale, mean
        check_options(self)
        if scale is None:
            self.log_scale = nn.Parameter(torch.tensor(math.log(self.initial - self.floor)))

    def start_scale(self, scale: float) -> None:
        if self.scale is None:
            start = max(scale / self.deviation, 2 * self.floor)
            nn.init.constant_(self.log_scale, math.log(start - self.floor))

    def means(self, channels: int) -> tuple[int | None, ...]:
        return (*range(channels), *((None,) * channels if self.scale == "pixel" else ()))

    def loc_and_scale(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Means [B C H W] and scales, of the same shape or one number, from raw outputs.

        Raises:
            UserError: an odd number of outputs a pixel, where each channel has two.
        """
        if self.scale is None:
            scale = self.floor + unrounded(self.log_scale).exp()
        elif self.scale == "pixel":
            if output.shape[-3] % 2:
                raise UserError(
                    f"{output.shape[-3]} outputs a pixel are not possible: a mean and a scale for each channel make an "
                    "even number."
                )
            output, raw = unrounded(output).chunk(2, -3)
            scale = positive_scale(raw, self.initial, self.pixel_floor)
        else:
            scale = output.new_tensor(self.scale)
        return output.tanh() if self.mean == "tanh" else output, scale


def positive_scale(raw: Tensor, initial: float | Tensor, floor: float) -> Tensor:
    """Scales from raw outputs: floor + (initial - floor) softplus(raw) / log 2, which is `initial` at 0.

    A large output does not overflow, and the logarithm of the scale never changes faster than the output.

    >>> positive_scale(torch.tensor([-100.0, 0.0, 1e6]), initial=0.5, floor=0.01)
    tensor([1.0000e-02, 5.0000e-01, 7.0692e+05])
    """
    return floor + (initial - floor) / math.log(2) * softplus(raw)
