"""The evidence lower bound (equation 1 of the paper) and the two objectives made of it, in nats."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

__all__ = ["ELBO", "authors_kl_weight", "elbo_loss", "paper_loss"]


class ELBO(NamedTuple):
    """The two terms of the bound, nats per image, each [B].

    log p(x) >= E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z))

    >>> import torch
    >>> ELBO(reconstruction=torch.tensor([-90.0]), kl=torch.tensor([10.0])).bound
    tensor([-100.])
    """

    reconstruction: Tensor
    """One-sample estimate of E_q[log p(x|z)]."""
    kl: Tensor
    """KL(q(z|x) || p(z)), never negative."""

    @property
    def bound(self) -> Tensor:
        """reconstruction - kl, nats per image, [B]."""
        return self.reconstruction - self.kl


def elbo_loss(terms: ELBO, beta: float = 1.0) -> Tensor:
    """The default objective: mean over images of -(reconstruction - beta * KL), in nats per image.

    >>> import torch
    >>> elbo_loss(ELBO(torch.tensor([-90.0, -110.0]), torch.tensor([10.0, 30.0])))
    tensor(120.)
    """
    return (beta * terms.kl - terms.reconstruction).mean()


def paper_loss(terms: ELBO, *, pixels: int, latents: int, beta: float = 1.0) -> Tensor:
    """The loss of the paper's released code: mean squared error over pixels + mean KL over latent numbers.

        ||x - x'||^2 / D + beta KL / L

    It is not in nats, and it changes the weight of the KL with the latent: see `authors_kl_weight`.

    Args:
        terms: of a Gaussian likelihood with scale 1, whose reconstruction is -||x - x'||^2 / 2 - D/2 log 2 pi.
        pixels: D, numbers of an image.
        latents: L, numbers of a code.

    >>> import torch
    >>> terms = ELBO(torch.tensor([-0.5 * 48 - 96 * math.log(2 * math.pi)]), torch.tensor([36.0]))
    >>> paper_loss(terms, pixels=192, latents=72)
    tensor(0.7500)
    """
    squared_error = -2 * (terms.reconstruction + 0.5 * pixels * math.log(2 * math.pi))
    return (squared_error / pixels + beta * terms.kl / latents).mean()


def authors_kl_weight(pixels: int, latents: int) -> float:
    """The beta, in a bound with a unit-variance Gaussian, that the released code's loss amounts to: D / (2 L).

    >>> [round(authors_kl_weight(64 * 64 * 3, n)) for n in (81, 576)]
    [76, 11]
    """
    return pixels / (2 * latents)
