"""The discretised logistic: a mass over the 256 values of a pixel, as in PixelCNN++ with one component."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from spatialvae.likelihoods.base import HALF_BIN, LIKELIHOODS, AbstractLikelihood, AbstractPixels
from spatialvae.options import check_options
from spatialvae.runtime.precision import unrounded

__all__ = ["DiscretizedLogistic", "DiscretizedLogisticPixels"]

FLOOR = 0.002  # half a bin: below it the mass of one value no longer changes
INITIAL_SCALE = 0.25  # a logistic's standard deviation is 1.8 times its scale


class DiscretizedLogisticPixels(AbstractPixels):
    """P(u) = F((x + 1/255 - loc) / scale) - F((x - 1/255 - loc) / scale), F the logistic function.

    The bins of 0 and 255 reach to -inf and +inf, so that the 256 masses add up to one.
    """

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        self.loc, self.scale = loc, scale
        super().__init__(loc.shape)

    @property
    def mean(self) -> Tensor:
        return self.loc

    def log_mass(self, value: Tensor) -> Tensor:
        # F(a) - F(b) = F(a) F(-b) (1 - e^(b - a)): no difference of numbers that agree in most digits.
        centred, half = (value - self.loc) / self.scale, HALF_BIN / self.scale
        below = torch.where(value > 1 - HALF_BIN, 0.0, logsigmoid(centred + half))
        above = torch.where(value < -1 + HALF_BIN, 0.0, logsigmoid(half - centred))
        width = torch.where(value.abs() > 1 - HALF_BIN, 0.0, torch.log(-torch.expm1(-2 * half)))
        return (below + above + width).sum((-3, -2, -1))

    def log_prob(self, value: Tensor) -> Tensor:
        return self.log_mass(value)  # already a mass: the bound is of the 8-bit image

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        with torch.no_grad():
            shape = self._extended_shape(torch.Size(sample_shape))
            uniform = torch.rand(shape, dtype=self.loc.dtype, device=self.loc.device).clamp(1e-6, 1 - 1e-6)
            value = self.loc + self.scale * uniform.logit()
            return ((value.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


@LIKELIHOODS.register("discretized-logistic")
class DiscretizedLogistic(AbstractLikelihood):
    """log P of the 8-bit image under logistic pixels with one learned scale, nats per image.

    Args:
        mean: of the logistic, either tanh(output), or linear, the output itself.

    Raises:
        UserError: `mean` is no such word.

    >>> DiscretizedLogistic()(torch.zeros(2, 3, 8, 8)).log_prob(torch.zeros(2, 3, 8, 8)) < 0
    tensor([True, True])
    """

    def __init__(self, mean: Literal["tanh", "linear"] = "tanh") -> None:
        super().__init__()
        self.mean = mean
        check_options(self)
        self.log_scale = nn.Parameter(torch.tensor(math.log(INITIAL_SCALE - FLOOR)))

    def forward(self, output: Tensor) -> DiscretizedLogisticPixels:
        return DiscretizedLogisticPixels(
            output.tanh() if self.mean == "tanh" else output, FLOOR + unrounded(self.log_scale).exp()
        )
