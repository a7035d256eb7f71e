"""The discretised logistic: a mass over the 256 values of a pixel, as in PixelCNN++ with one component."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from spatialvae.likelihoods.base import HALF_BIN, LIKELIHOODS, AbstractPixels
from spatialvae.likelihoods.location_scale import AbstractLocationScale
from spatialvae.likelihoods.logistic_mass import logistic_log_mass

__all__ = ["Logistic", "LogisticPixels", "likeliest_level", "logistic_levels"]

FLOOR = 0.002  # half a bin: one value's mass is at most 3/4
PIXEL_FLOOR = 0.001  # a quarter of a bin, where a pixel may be surer than the average: at most 0.96
INITIAL_SCALE = 0.25
DEVIATION = math.pi / math.sqrt(3)
"""A logistic's standard deviation, in scales."""


class LogisticPixels(AbstractPixels):
    """P(u) = F((x + 1/255 - loc) / scale) - F((x - 1/255 - loc) / scale), F the logistic function.

    The bins of 0 and 255 reach to -inf and +inf, so that the 256 masses add up to one.
    """

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        self.loc, self.scale = loc, scale
        super().__init__(loc.shape)

    @property
    def mean(self) -> Tensor:
        """The centre of the logistic; the mean of the 256 values lies nearer to 0 where their range cuts a tail off."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        return likeliest_level(self.loc, self.scale)

    def log_mass(self, value: Tensor) -> Tensor:
        return logistic_log_mass(self.loc, self.scale, value).sum((-3, -2, -1))

    def log_prob(self, value: Tensor) -> Tensor:
        return self.log_mass(value)  # already a mass: the bound is of the 8-bit image

    def drawn(self, noise: Tensor) -> Tensor:
        """The value nearest to loc + scale log(noise / (1 - noise)), at most the first and the last."""
        with torch.no_grad():
            return logistic_levels(self.loc, self.scale, noise)


@LIKELIHOODS.register("logistic")
class Logistic(AbstractLocationScale):
    """log P of the 8-bit image under discretised logistic pixels, nats per image.

        P(u) = F((x + 1/255 - m) / s) - F((x - 1/255 - m) / s),   F(a) = 1 / (1 + exp(-a))

    Args:
        scale: a number fixes all s. Learned by default, one for all pixels, s = 0.002 + exp(log_scale), starting at
            0.25; `pixel` takes one for each pixel and channel from the decoder, from 0.001 on, with the same start.
        mean: m, either tanh(output), or linear, the output itself.

    Raises:
        UserError: `scale` is neither `pixel` nor a number from 0.001 on, or `mean` is no such word.

    >>> Logistic()(torch.zeros(2, 3, 8, 8)).log_prob(torch.zeros(2, 3, 8, 8)) < 0
    tensor([True, True])
    """

    initial, floor, pixel_floor = INITIAL_SCALE, FLOOR, PIXEL_FLOOR
    deviation = DEVIATION

    def forward(self, output: Tensor) -> LogisticPixels:
        return LogisticPixels(*self.loc_and_scale(output))


def logistic_levels(loc: Tensor, scale: Tensor, noise: Tensor, half_bin: float = HALF_BIN) -> Tensor:
    """The levels in [-1, 1] that uniform numbers stand for, by the inverse of the logistic's distribution function."""
    inside = noise.to(loc).clamp(2**-25, 1 - 2**-24)
    return nearest_level(loc + scale * inside.logit(), half_bin)


def likeliest_level(loc: Tensor, scale: Tensor, half_bin: float = HALF_BIN) -> Tensor:
    """The level of the largest mass: the one nearest to the centre, or the first or the last with a tail behind it."""
    nearest = nearest_level(loc, half_bin)
    levels = torch.stack([nearest, torch.ones_like(nearest), -torch.ones_like(nearest)])
    best = logistic_log_mass(loc, scale, levels, half_bin).argmax(0, keepdim=True)
    return levels.gather(0, best)[0]


def nearest_level(value: Tensor, half_bin: float) -> Tensor:
    """Numbers rounded to the nearest level in [-1, 1], those outside to the first or the last."""
    half = round(1 / half_bin) / 2
    return ((value.clamp(-1, 1) + 1) * half).round() / half - 1
