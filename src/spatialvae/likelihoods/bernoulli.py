"""Bernoulli pixels, for images that are nearly black and white."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from spatialvae.likelihoods.base import LIKELIHOODS, AbstractLikelihood, AbstractPixels

__all__ = ["Bernoulli", "BernoulliPixels"]

GREY = 0.2  # a logit below it: the two ends' masses are nearly equal


class BernoulliPixels(AbstractPixels):
    """A pixel of brightness y in [0, 1] stands for a coin that shows white with probability y.

    `log_prob` is the expected log-probability of the picture whose pixels are thrown that way,
    y log p + (1 - y) log(1 - p): a proper bound for binarised images. `log_mass` is a proper distribution over the 256
    values: the continuous Bernoulli's density exp(logit * y) / Z (Loaiza-Ganem and Cunningham, 2019) integrated
    over [u/256, (u+1)/256].
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        super().__init__(logits.shape)

    @property
    def mean(self) -> Tensor:
        return 2 * self.logits.sigmoid() - 1

    def log_prob(self, value: Tensor) -> Tensor:
        white = (value + 1) / 2
        pixels = white * logsigmoid(self.logits) + (1 - white) * logsigmoid(-self.logits)
        return pixels.sum((-3, -2, -1))

    def log_mass(self, value: Tensor) -> Tensor:
        # mass(u) = r^u (r - 1) / (r^256 - 1) with r = exp(logit / 256); mirrored so that r >= 1 never overflows.
        level, size = (value + 1) * 127.5, self.logits.abs()
        grey = size < GREY
        slope = torch.where(grey, 1.0, size) / 256
        distance = torch.where(self.logits >= 0, 255 - level, level)  # from the likelier end
        steep = -slope * distance + torch.log(-torch.expm1(-slope)) - torch.log(-torch.expm1(-256 * slope))
        # The same as r^(u - 127.5) sinh(logit / 512) / sinh(logit / 2), whose logarithms are even and smooth at 0.
        flat = self.logits / 256 * (level - 127.5) + _log_sinhc(self.logits / 512) - _log_sinhc(self.logits / 2)
        return torch.where(grey, flat - math.log(256), steep).sum((-3, -2, -1))

    @property
    def mode(self) -> Tensor:
        """The likelier side of each coin."""
        return torch.where(self.logits >= 0, 1.0, -1.0).to(self.logits)

    def drawn(self, noise: Tensor) -> Tensor:
        """A throw of each coin: black and white pixels."""
        with torch.no_grad():
            return torch.where(noise.to(self.logits) < self.logits.sigmoid(), 1.0, -1.0).to(self.logits)


@LIKELIHOODS.register("bernoulli")
class Bernoulli(AbstractLikelihood):
    """log p(x|z) = sum over pixels of y log p + (1 - y) log(1 - p), p = sigmoid(output), nats per image.

    >>> Bernoulli()(torch.zeros(1, 1, 8, 8)).log_prob(torch.ones(1, 1, 8, 8)) / 64
    tensor([-0.6931])
    """

    def forward(self, output: Tensor) -> BernoulliPixels:
        return BernoulliPixels(output)


def _log_sinhc(x: Tensor) -> Tensor:
    """log(sinh(x) / x) for |x| up to GREY / 2, by its series; the next term is below 1e-12."""
    square = x.clamp(-GREY / 2, GREY / 2).square()
    return square / 6 - square.square() / 180 + square**3 / 2835
