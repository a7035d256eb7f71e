"""N(0, I) over the numbers of a code: the paper's prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.distributions import Distribution

from spatialvae.latents import AbstractLatent
from spatialvae.latents.base import independent_normals
from spatialvae.priors.base import PRIORS, AbstractModelFamily

__all__ = ["StandardFamily", "standard_normal"]


@PRIORS.register("standard")
@dataclass(frozen=True)
class StandardFamily(AbstractModelFamily):
    """N(0, I), the paper's prior: nothing of it is trained."""

    title: ClassVar[str] = "N(0, I)"
    meaning: ClassVar[str] = "the standard normal distribution of the paper"

    def module(self, latent: AbstractLatent) -> None:
        return None


def standard_normal(
    event_shape: tuple[int, int, int],
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Distribution:
    """p(z) = N(0, I): batch [], event [maps, height, width].

    The zeros and ones are one number each, expanded, so that a KL divergence against them costs no memory.

    >>> standard_normal((64, 3, 3)).event_shape
    torch.Size([64, 3, 3])
    """
    zero = torch.zeros((), dtype=dtype, device=device).expand(event_shape)
    one = torch.ones((), dtype=dtype, device=device).expand(event_shape)
    return independent_normals(zero, one)
