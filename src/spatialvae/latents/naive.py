"""The naive spatial VAE: independent numbers, read as maps (section 3.2 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.distributions import Distribution

from spatialvae.latents.base import LATENTS, AbstractLatent, independent_normals, positive

__all__ = ["Naive"]


@LATENTS.register("naive")
@dataclass(frozen=True)
class Naive(AbstractLatent):
    """N maps whose sites each have a mean and a scale of their own; 2 N h w encoder outputs.

    >>> Naive(maps=64, height=3, width=3).encoder_outputs
    1152
    """

    description = "independent normal sites"
    equation = "F_k[i,j] ~ N(M_k[i,j], S_k[i,j]^2)"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"loc": self.event_shape, "scale": self.event_shape}

    def distribution(self, parameters: dict[str, Tensor]) -> Distribution:
        return independent_normals(parameters["loc"], positive(parameters["scale"]))
