"""What a likelihood is: the decoder's raw output -> a distribution over images, in density and in 8-bit mass.

Images are floats in [-1, 1]; an 8-bit value u sits at u / 127.5 - 1, and its bin reaches half a grey level,
1 / 255, to either side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.distributions.constraints import Constraint

__all__ = ["HALF_BIN", "AbstractLikelihood", "AbstractPixels", "discretized_log_mass"]

HALF_BIN = 1 / 255
"""Half the distance of two neighbouring 8-bit values on the [-1, 1] scale."""


class AbstractPixels(Distribution, ABC):
    """A distribution over images with independent pixels: batch [B], event [C, H, W]."""

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        """None: the parameters come from a network, and the finite loss is the check."""
        return {}

    def __init__(self, shape: torch.Size) -> None:
        super().__init__(shape[:-3], shape[-3:], validate_args=False)

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """The expected image in [-1, 1], [B C H W]."""

    @abstractmethod
    def log_prob(self, value: Tensor) -> Tensor:
        """What the bound's reconstruction term is made of, nats per image, [B]."""

    @abstractmethod
    def log_mass(self, value: Tensor) -> Tensor:
        """The log-probability of the 8-bit image itself, nats per image, [B]: what an entropy coder would pay."""


class AbstractLikelihood(nn.Module, ABC):
    """p(x|z): raw decoder outputs [B C H W] -> `AbstractPixels`."""

    @abstractmethod
    def forward(self, output: Tensor) -> AbstractPixels: ...


def discretized_log_mass(log_cdf: Callable[[Tensor], Tensor], loc: Tensor, scale: Tensor, value: Tensor) -> Tensor:
    """log of the mass that a symmetric location-scale law puts on each 8-bit value's bin, elementwise, in nats.

        log [ F((x + 1/255 - loc) / scale) - F((x - 1/255 - loc) / scale) ]

    The bins of 0 and 255 reach to -inf and +inf, so that the 256 masses add up to one. By symmetry the bin is
    mirrored into the lower tail, where the logarithm of the CDF keeps its digits.

    >>> levels = torch.arange(256, dtype=torch.float64) / 127.5 - 1
    >>> loc, scale = torch.tensor(0.3, dtype=torch.float64), torch.tensor(0.1, dtype=torch.float64)
    >>> discretized_log_mass(torch.special.log_ndtr, loc, scale, levels).exp().sum()
    tensor(1., dtype=torch.float64)
    """
    centred = (value - loc) / scale
    half = HALF_BIN / scale
    mirrored = -centred.abs()
    upper = log_cdf(mirrored + half)
    lower = log_cdf(mirrored - half)
    inside = upper + torch.log(-torch.expm1(lower - upper))
    # The outermost bins are whole tails: [-inf, x + half] and, mirrored, [x - half, inf].
    inside = torch.where(value < -1 + HALF_BIN, log_cdf(centred + half), inside)
    return torch.where(value > 1 - HALF_BIN, log_cdf(half - centred), inside)
