"""The original VAE: a vector of C numbers, which is C maps of 1x1 (section 2.2 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.distributions import Distribution

from spatialvae.errors import UserError
from spatialvae.latents.base import LATENTS, AbstractLatent, independent_normals, positive

__all__ = ["Vector"]


@LATENTS.register("vector")
@dataclass(frozen=True)
class Vector(AbstractLatent):
    """C independent normal numbers, z = mu(x) + sigma(x) * eps (equation 2); 2C encoder outputs.

    >>> Vector(maps=81).encoder_outputs
    162
    """

    height: int = 1
    width: int = 1

    description = "independent normal numbers"
    equation = "z ~ N(mu, diag(sigma^2))"

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.height, self.width) != (1, 1):
            raise UserError(f"vector has maps of 1x1, not {self.height}x{self.width}: 'naive' is its spatial form.")

    @classmethod
    def on_grid(cls, maps: int, height: int, width: int) -> dict[str, int]:
        """The paper's vectors, 81 against 64 maps of 3x3 and 150 against 128; elsewhere a seventh of the numbers.

        >>> Vector.on_grid(64, 3, 3), Vector.on_grid(8, 3, 3)
        ({'maps': 81}, {'maps': 10})
        """
        paper = {(64, 3, 3): 81, (128, 3, 3): 150}
        return {"maps": paper.get((maps, height, width)) or max(1, round(maps * height * width / 7))}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"loc": self.event_shape, "scale": self.event_shape}

    def distribution(self, parameters: dict[str, Tensor]) -> Distribution:
        return independent_normals(parameters["loc"], positive(parameters["scale"]))
