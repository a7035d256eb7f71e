"""The spatial VAE via matrix-variate normal distributions (section 3.3 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.distributions import Distribution, Independent

from spatialvae.distributions import MatrixNormal
from spatialvae.latents.base import AbstractLatent, positive

__all__ = ["MatrixNormalMaps"]


@dataclass(frozen=True)
class MatrixNormalMaps(AbstractLatent):
    """N matrix-normal maps with a free mean and one scale a row and a column; N (h w + h + w) encoder outputs.

    F_k ~ N(M_k, Omega_k (x) Psi_k), Omega_k and Psi_k diagonal (equations 5 and 6).

    >>> MatrixNormalMaps(maps=64, height=3, width=3).encoder_outputs
    960
    """

    law = "matrix normal, diagonal covariances"
    equation = "F_k ~ N(M_k, Omega_k (x) Psi_k)"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            "loc": self.event_shape,
            "row_scale": (self.maps, self.height),
            "column_scale": (self.maps, self.width),
        }

    def distribution(self, parameters: dict[str, Tensor]) -> Distribution:
        maps = MatrixNormal(
            parameters["loc"],
            row_scale=positive(parameters["row_scale"]),
            column_scale=positive(parameters["column_scale"]),
            validate_args=False,
        )
        return Independent(maps, 1, validate_args=False)
