"""A stand-in for a model whose likelihood of an image is known exactly: linear decoder, Gaussian pixels."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal, kl_divergence

from spatialvae.latents import AbstractLatent
from spatialvae.likelihoods.gaussian import GaussianPixels
from spatialvae.priors import standard_normal

SHAPE = (1, 2, 3)
SCALE = 0.7


class LinearGaussian:
    """p(z) = N(0, I), p(x|z) = N(W z, s^2 I), and a q(z|x) of the latent's distribution that depends on x.

    `decoded` notes how many codes each call of `decode` was given.
    """

    device = torch.device("cpu")

    def __init__(self, latent: AbstractLatent) -> None:
        self.latent, self.decoded = latent, []
        self.weight = 0.3 * torch.randn(prod(SHAPE), latent.numbers, dtype=torch.float64)
        self.heads = {
            name: 0.15 * torch.randn(prod(SHAPE), prod(shape), dtype=torch.float64)
            for name, shape in latent.shapes.items()
        }
        self.shared = {n: 0.15 * torch.randn(s, dtype=torch.float64) for n, s in latent.shared_shapes.items()}

    def encode_checked(self, floats: Tensor) -> Distribution:
        pixels = floats.flatten(1)
        shapes = self.latent.shapes
        results = {name: (pixels @ head).unflatten(1, shapes[name]) for name, head in self.heads.items()}
        return self.latent.distribution({**results, **self.shared})

    def decode(self, codes: Tensor) -> GaussianPixels:
        self.decoded.append(len(codes))
        loc = (codes.flatten(1) @ self.weight.mT).unflatten(1, SHAPE)
        return GaussianPixels(loc, torch.tensor(SCALE, dtype=torch.float64))

    def prior(self) -> Distribution:
        return standard_normal(self.latent.event_shape, dtype=torch.float64)

    def log_likelihood(self, images: Tensor) -> Tensor:
        """log p(x) = log N(x; 0, W W^T + s^2 I), [B]."""
        noise = SCALE**2 * torch.eye(prod(SHAPE), dtype=torch.float64)
        distribution = MultivariateNormal(
            torch.zeros(prod(SHAPE), dtype=torch.float64), self.weight @ self.weight.mT + noise
        )
        return distribution.log_prob(images.flatten(1))

    def bound(self, images: Tensor) -> Tensor:
        """The ELBO in closed form: log p(x | mean code) - trace(W Var(z) W^T) / (2 s^2) - KL, [B].

        The sites of all four distributions are independent given x, so that their variances are all it takes.
        """
        posterior = self.encode_checked(images)
        at_mean = self.decode(posterior.mean).log_prob(images)
        spread = (posterior.variance.flatten(1) @ self.weight.square().sum(0)) / (2 * SCALE**2)
        return at_mean - spread - kl_divergence(posterior, self.prior())
