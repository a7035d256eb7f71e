"""Likelihoods of a mean and a scale: one scale for all pixels, fixed or learned, or one from the decoder for each."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from spatialvae.errors import UserError
from spatialvae.likelihoods.base import AbstractLikelihood
from spatialvae.options import check_options
from spatialvae.runtime.precision import unrounded

__all__ = ["AbstractLocationScale", "ScaleOffset", "positive_scale"]

LEAST = 0.001
"""The smallest fixed scale, an eighth of a grey level: 8-bit values tell no smaller ones apart."""


class AbstractLocationScale(AbstractLikelihood):
    """What `gaussian` and `logistic` share: the options `scale` and `mean`, and what is made of them.

    Args:
        scale: a number fixes the scale; None learns one for all pixels, floor + exp(log_scale); `pixel` takes one for
            each pixel and channel from the decoder, see `positive_scale`. Both begin at `initial`.
        mean: tanh(output), or linear, the output itself.

    Raises:
        UserError: `scale` is neither `pixel` nor a number from 0.001 on, or `mean` is no such word.
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
        if isinstance(scale, int | float) and not LEAST <= scale < math.inf:
            raise UserError(
                f"scale={scale} is not possible: scale is a number from {LEAST} on, for instance scale=0.1."
            )
        self.scale, self.mean = scale, mean
        check_options(self)
        if scale == "pixel":
            self.offset = ScaleOffset()
        if scale is None:
            self.log_scale = nn.Parameter(torch.tensor(math.log(self.initial - self.floor)))

    def start_scale(self, scale: float) -> None:
        if self.scale == "pixel":
            self.offset.start(scale / self.deviation, self.initial, self.pixel_floor)
        elif self.scale is None:
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
            scale = positive_scale(self.offset(raw), self.initial, self.pixel_floor)
        else:
            scale = output.new_tensor(self.scale)
        return output.tanh() if self.mean == "tanh" else output, scale


class ScaleOffset(nn.Module):
    """A number that is added to a decoder's raw scales, so that training starts them where pixels are: 0 by default.

    >>> offset = ScaleOffset()
    >>> offset.start(0.05, initial=0.5, floor=0.01)
    >>> positive_scale(offset(torch.zeros(1)), initial=0.5, floor=0.01)
    tensor([0.0500])
    """

    value: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(()))
        self.register_load_state_dict_pre_hook(self._complete)  # pyright: ignore[reportUnknownMemberType]

    def start(self, scale: float, initial: float, floor: float) -> None:
        """From here on `positive_scale` of a raw 0 is `scale`, or twice the floor where it is less."""
        share = (max(scale, 2 * floor) - floor) / (initial - floor) * math.log(2)
        self.value.fill_(share + math.log(-math.expm1(-share)))  # the inverse of softplus

    def forward(self, raw: Tensor) -> Tensor:
        return raw + unrounded(self.value)

    @staticmethod
    def _complete(_: nn.Module, state_dict: dict[str, Any], prefix: str, *__: object) -> None:
        state_dict.setdefault(prefix + "value", torch.zeros(()))  # models of before have none


def positive_scale(raw: Tensor, initial: float | Tensor, floor: float) -> Tensor:
    """Scales from raw outputs: floor + (initial - floor) softplus(raw) / log 2, which is `initial` at 0.

    A large output does not overflow, and the logarithm of the scale never changes faster than the output.

    >>> positive_scale(torch.tensor([-100.0, 0.0, 1e6]), initial=0.5, floor=0.01)
    tensor([1.0000e-02, 5.0000e-01, 7.0692e+05])
    """
    return floor + (initial - floor) / math.log(2) * softplus(raw)
