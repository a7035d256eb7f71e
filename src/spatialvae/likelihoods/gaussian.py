"""A Gaussian with one standard deviation for all pixels, learned with the model or fixed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from spatialvae.likelihoods.base import AbstractLikelihood, AbstractPixels, discretized_log_mass

__all__ = ["Gaussian", "GaussianPixels"]

FLOOR = 0.01  # 1.3 grey levels: a smaller scale would let the bound grow without end on flat images
INITIAL_SCALE = 0.5  # about the spread of natural images in [-1, 1]


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
        return discretized_log_mass(torch.special.log_ndtr, self.loc, self.scale, value).sum((-3, -2, -1))

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        with torch.no_grad():
            shape = self._extended_shape(torch.Size(sample_shape))
            return self.loc + self.scale * torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)


class Gaussian(AbstractLikelihood):
    """log p(x|z) = -||x - tanh(output)||^2 / (2 s^2) - D log s - D/2 log 2 pi, nats per image, D = C H W.

    Args:
        scale: fixes s; learned by default, as s = 0.01 + exp(log_scale), starting at 0.5.

    >>> Gaussian(scale=0.1)(torch.zeros(2, 3, 8, 8)).log_prob(torch.zeros(2, 3, 8, 8))
    tensor([265.6602, 265.6602])
    """

    log_scale: Tensor

    def __init__(self, scale: float | None = None) -> None:
        super().__init__()
        self.fixed = scale
        if scale is None:
            self.log_scale = nn.Parameter(torch.tensor(math.log(INITIAL_SCALE - FLOOR)))

    def forward(self, output: Tensor) -> GaussianPixels:
        scale = FLOOR + self.log_scale.exp() if self.fixed is None else output.new_tensor(self.fixed)
        return GaussianPixels(output.tanh(), scale)
