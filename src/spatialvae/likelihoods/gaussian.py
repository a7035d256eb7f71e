"""A Gaussian with one standard deviation for all pixels, learned or fixed, or with one for each pixel."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import mse_loss
from torch.special import erfcx, log_ndtr, ndtri  # pyright: ignore[reportUnknownVariableType]

from spatialvae.likelihoods.base import HALF_BIN, LIKELIHOODS, AbstractPixels
from spatialvae.likelihoods.location_scale import AbstractLocationScale

__all__ = ["Gaussian", "GaussianPixels"]

FLOOR = 0.01  # 1.3 grey levels: a smaller scale would let the bound grow without end on flat images
INITIAL_SCALE = 0.5  # about the spread of natural images in [-1, 1]
NARROW = 0.05  # of half a bin, in standard deviations and times the distance from the mean: an error below 1e-12


class GaussianPixels(AbstractPixels):
    """x ~ N(loc, scale^2 I), loc [B C H W] in [-1, 1], scale a number or anything that broadcasts."""

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        self.loc, self.scale = loc, scale
        super().__init__(loc.shape)

    @property
    def mean(self) -> Tensor:
        return self.loc

    def log_prob(self, value: Tensor) -> Tensor:
        if self.scale.ndim == 0 and value.shape == self.loc.shape:  # no pass over the pixels to divide each
            squared = mse_loss(self.loc, value, reduction="none").sum((-3, -2, -1)) / self.scale.square()
        else:
            squared = ((value - self.loc) / self.scale).square().sum((-3, -2, -1))
        constant = self.scale.log() + 0.5 * math.log(2 * math.pi)
        if self.scale.ndim == 0:
            return -0.5 * squared - constant * math.prod(self.event_shape)
        return -0.5 * squared - constant.expand(self.loc.shape).sum((-3, -2, -1))

    def log_mass(self, value: Tensor) -> Tensor:
        return normal_log_mass(self.loc, self.scale, value).sum((-3, -2, -1))

    @property
    def mode(self) -> Tensor:
        """The densest image, which is the mean."""
        return self.loc

    def drawn(self, noise: Tensor) -> Tensor:
        """loc + scale Phi^-1(noise)."""
        with torch.no_grad():
            # Phi^-1(0) is -inf; the smallest step of float32 below 1 is 2^-24.
            inside = noise.to(self.loc).clamp(2**-25, 1 - 2**-24)
            return self.loc + self.scale * ndtri(inside)  # pyright: ignore[reportUnknownVariableType]


@LIKELIHOODS.register("gaussian")
class Gaussian(AbstractLocationScale):
    """log p(x|z) = -sum_i [(x_i - m_i)^2 / (2 s_i^2) + log s_i + 1/2 log 2 pi], nats per image, i over its numbers.

    Args:
        scale: a number fixes all s_i. Learned by default, one for all pixels, s = 0.01 + exp(log_scale), starting at
            0.5; `pixel` takes one for each pixel and channel from the decoder, with the same floor and start.
        mean: m, either tanh(output), which stays within the pixels' range, or linear, the output itself: what a
            decoder computes linearly is then linear in the pixels. Pictures are clipped to the range.

    Raises:
        UserError: `scale` is neither `pixel` nor a number from 0.001 on, or `mean` is no such word.

    >>> Gaussian(scale=0.1)(torch.zeros(2, 3, 8, 8)).log_prob(torch.zeros(2, 3, 8, 8))
    tensor([265.6602, 265.6602])
    """

    initial, floor, pixel_floor = INITIAL_SCALE, FLOOR, FLOOR

    def forward(self, output: Tensor) -> GaussianPixels:
        return GaussianPixels(*self.loc_and_scale(output))


def normal_log_mass(loc: Tensor, scale: Tensor, value: Tensor) -> Tensor:
    """log of the mass that N(loc, scale^2) puts on each 8-bit value's bin, elementwise, in nats.

        log [ Phi(c + h) - Phi(c - h) ],   c = (x - loc) / scale,  h = (1/255) / scale

    The bins of 0 and 255 reach to -inf and +inf, so that the 256 masses add up to one. By symmetry a bin is mirrored
    into the lower tail, where the logarithm of Phi keeps its digits. The two ends of a bin that is narrow beside the
    scale agree in most digits; its mass is Gauss and Legendre's integral of the density by three points,

        2 h phi(c) [ 4/9 + 5/9 exp(-3/10 h^2) cosh(sqrt(3/5) c h) ].

    >>> levels = torch.arange(256, dtype=torch.float64) / 127.5 - 1
    >>> loc, scale = torch.tensor(0.3, dtype=torch.float64), torch.tensor(0.1, dtype=torch.float64)
    >>> normal_log_mass(loc, scale, levels).exp().sum().round(decimals=10)
    tensor(1., dtype=torch.float64)
    """
    centred, half = (value - loc) / scale, HALF_BIN / scale
    product = half * centred.abs()
    narrow = (half < NARROW) & (product < NARROW)
    curved = (5 / 9) * torch.exp(-0.3 * half.square()) * torch.cosh(math.sqrt(0.6) * product.clamp(max=NARROW))
    density = -0.5 * centred.square() - 0.5 * math.log(2 * math.pi)
    inside = density + torch.log(2 * half) + torch.log(4 / 9 + curved)
    mirrored = -centred.abs()
    upper, lower = log_cdf(mirrored + half), log_cdf(mirrored - half)
    # Where it is not used it must not be log 0, whose gradient would be no number.
    share = torch.log(-torch.expm1(torch.where(narrow, -1.0, lower - upper)))
    inside = torch.where(narrow, inside, upper + share)
    lowest, highest = value < -1 + HALF_BIN, value > 1 - HALF_BIN
    return torch.where(lowest | highest, log_cdf(torch.where(highest, -centred, centred) + half), inside)


def log_cdf(x: Tensor) -> Tensor:
    """log Phi(x) with the gradient phi(x) / Phi(x); torch's own is wrong from 1,000 standard deviations on in float32.

    >>> x = torch.tensor([-1e5], requires_grad=True)
    >>> torch.autograd.grad(log_cdf(x).sum(), x)
    (tensor([100000.]),)
    """
    return _LogCdf.apply(x)  # pyright: ignore[reportReturnType, reportUnknownMemberType, reportUnknownVariableType]


class _LogCdf(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return log_ndtr(x)  # pyright: ignore[reportUnknownVariableType]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x,) = ctx.saved_tensors
        return gradient * math.sqrt(2 / math.pi) / erfcx(-x / math.sqrt(2))  # pyright: ignore[reportUnknownVariableType]
