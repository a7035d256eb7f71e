"""The evidence lower bound with its terms, one draw an image."""

from __future__ import annotations

import math

from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from spatialvae.elbo import ELBO
from spatialvae.model import SpatialVAE

__all__ = ["bound_terms"]


def bound_terms(model: SpatialVAE, images: Tensor, posterior: Distribution) -> dict[str, Tensor]:
    """`elbo`, `kl` and `reconstruction`, nats per image by one draw, and `bits_per_dim`: [B] each.

        bits_per_dim = (KL - log-mass of the 8-bit image) / (D log 2)

    Args:
        images: floats in [-1, 1], [B C H W].
        posterior: q(z|x) of these images.
    """
    drawn = model.decode(posterior.sample())
    terms = ELBO(drawn.log_prob(images), kl_divergence(posterior, model.prior()))
    bits = (terms.kl - drawn.log_mass(images)) / (images[0].numel() * math.log(2))
    return {"elbo": terms.bound, "kl": terms.kl, "reconstruction": terms.reconstruction, "bits_per_dim": bits}
