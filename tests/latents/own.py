"""A latent as a user would write it: its mean is a product, and its maps come back as one `Independent`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from spatialvae.latents import AbstractLatent
from spatialvae.latents.base import positive


@dataclass(frozen=True)
class Separable(AbstractLatent):
    """F_k[i,j] ~ N(a_k[i] b_k[j] gain, s_k[i,j]^2)."""

    gain: float = 1.0

    description = "independent normal sites around a product"
    equation = "F_k[i,j] ~ N(a_k[i] b_k[j], s_k[i,j]^2)"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"down": (self.height, self.maps), "across": (self.maps, self.width), "scale": self.event_shape}

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        return {"down": ("row", "map"), "across": ("map", "column"), "scale": ("map", "row", "column")}

    def initial(self) -> dict[str, Tensor]:
        return {**super().initial(), "down": torch.full(self.shapes["down"], 0.1)}

    def distribution(self, parameters: dict[str, Tensor]) -> Distribution:
        loc = self.gain * parameters["down"].mT.unsqueeze(-1) * parameters["across"].unsqueeze(-2)
        return Independent(Normal(loc, positive(parameters["scale"]), validate_args=False), 3, validate_args=False)
