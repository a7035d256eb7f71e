"""A Gaussian with one standard deviation for all pixels, learned with the model or fixed."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.special import erfcx, log_ndtr  # pyright: ignore[reportUnknownVariableType]

from spatialvae.errors import UserError
from spatialvae.likelihoods.base import HALF_BIN, LIKELIHOODS, AbstractLikelihood, AbstractPixels
from spatialvae.options import check_options
from spatialvae.runtime.precision import unrounded

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
        constant = (self.scale.log() + 0.5 * math.log(2 * math.pi)) * math.prod(self.event_shape)
        return -0.5 * squared - constant

    def log_mass(self, value: Tensor) -> Tensor:
        return normal_log_mass(self.loc, self.scale, value).sum((-3, -2, -1))

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        with torch.no_grad():
            shape = self._extended_shape(torch.Size(sample_shape))
            return self.loc + self.scale * torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)


@LIKELIHOODS.register("gaussian")
class Gaussian(AbstractLikelihood):
    """log p(x|z) = -||x - m||^2 / (2 s^2) - D log s - D/2 log 2 pi, nats per image, D = C H W.

    Args:
        scale: fixes s; learned by default, as s = 0.01 + exp(log_scale), starting at 0.5.
        mean: m, either tanh(output), which stays within the pixels' range, or linear, the output itself: what a
            decoder computes linearly is then linear in the pixels. Pictures are clipped to the range.

    Raises:
        UserError: `scale` is not a positive number, or `mean` is no such word.

    >>> Gaussian(scale=0.1)(torch.zeros(2, 3, 8, 8)).log_prob(torch.zeros(2, 3, 8, 8))
    tensor([265.6602, 265.6602])
    """

    log_scale: Tensor

    def __init__(self, scale: float | None = None, mean: Literal["tanh", "linear"] = "tanh") -> None:
        super().__init__()
        if scale is not None and not 0 < scale < math.inf:
            raise UserError(f"scale={scale} is not possible: scale is a positive number, for instance scale=0.1.")
        self.scale, self.mean = scale, mean
        check_options(self)
        if scale is None:
            self.log_scale = nn.Parameter(torch.tensor(math.log(INITIAL_SCALE - FLOOR)))

    def forward(self, output: Tensor) -> GaussianPixels:
        scale = FLOOR + unrounded(self.log_scale).exp() if self.scale is None else output.new_tensor(self.scale)
        return GaussianPixels(output.tanh() if self.mean == "tanh" else output, scale)


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
