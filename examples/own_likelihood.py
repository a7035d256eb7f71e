"""A likelihood of your own: Laplace pixels, whose bound is the mean absolute error."""

import os

import torch
from torch import Tensor, nn
from torch.distributions import Laplace

import spatialvae as sv
from spatialvae.likelihoods import LIKELIHOODS, AbstractLikelihood, AbstractPixels

EPOCHS = float(os.environ.get("EPOCHS", "2"))
HALF_BIN = 1 / 255  # images are floats in [-1, 1]: half the distance of two neighbouring 8-bit values


class LaplacePixels(AbstractPixels):
    """Independent pixels, Laplace around `loc` [B, C, H, W]."""

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        self.laplace = Laplace(loc, scale, validate_args=False)
        super().__init__(loc.shape)

    @property
    def mean(self) -> Tensor:
        return self.laplace.loc

    def log_prob(self, value: Tensor) -> Tensor:
        return self.laplace.log_prob(value).sum((-3, -2, -1))

    def log_mass(self, value: Tensor) -> Tensor:  # of the 8-bit value's bin, where the first and the last are open
        above = torch.where(value > 1 - HALF_BIN, 1.0, self.laplace.cdf(value + HALF_BIN))
        below = torch.where(value < HALF_BIN - 1, 0.0, self.laplace.cdf(value - HALF_BIN))
        return (above - below).clamp(min=1e-12).log().sum((-3, -2, -1))

    @property
    def mode(self) -> Tensor:
        return self.mean

    @torch.no_grad()
    def drawn(self, noise: Tensor) -> Tensor:
        """Pictures from uniform numbers, by the inverse of the distribution function: `sample` makes the numbers."""
        return self.laplace.icdf(noise.to(self.laplace.loc).clamp(1e-6, 1 - 1e-6))


@LIKELIHOODS.register("laplace")
class LaplaceLikelihood(AbstractLikelihood):
    """One scale for all pixels, learned with the networks."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(()))

    def forward(self, output: Tensor) -> LaplacePixels:
        return LaplacePixels(output, self.log_scale.exp())


latent = sv.latents.Naive(maps=8, height=3, width=3)
model = sv.SpatialVAE(latent=latent, likelihood=LaplaceLikelihood(), image_shape=(1, 8, 8))
run = sv.train(model, "digits", out="runs/own-likelihood", epochs=EPOCHS)
print(run)
