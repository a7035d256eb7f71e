"""The spatial VAE via matrix-variate normal distributions (section 3.3 of the paper), and its correlated forms."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.distributions import Distribution, Independent

from spatialvae.distributions import MatrixNormal
from spatialvae.latents.base import LATENTS, AbstractLatent
from spatialvae.latents.covariance import Covariance, row_and_column_axes, row_and_column_shapes, side

__all__ = ["MatrixNormalMaps"]


@LATENTS.register("matrix-normal")
@dataclass(frozen=True)
class MatrixNormalMaps(AbstractLatent):
    """N matrix-normal maps with a free mean; N (h w + h + w) encoder outputs if the covariances are diagonal.

    F_k ~ N(M_k, Omega_k (x) Psi_k). The paper's Omega_k and Psi_k are diagonal (equations 5 and 6): given the image no
    two sites are correlated. `covariance=ar1` adds the correlation of neighbours, one number a side; `covariance=full`
    takes all of them, d(d + 1)/2 numbers a side.

    >>> MatrixNormalMaps(maps=64, height=3, width=3).encoder_outputs
    960
    >>> MatrixNormalMaps(maps=64, height=3, width=3, covariance="full").encoder_outputs
    1344
    """

    covariance: Covariance = "diagonal"

    description = "matrix normal"
    equation = "F_k ~ N(M_k, Omega_k (x) Psi_k)"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            "loc": self.event_shape,
            **row_and_column_shapes(self.covariance, (self.maps,), self.height, self.width),
        }

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        sides = row_and_column_axes(self.shapes, ("map",))
        return {"loc": ("map", "row", "column"), **sides}

    def distribution(self, parameters: dict[str, Tensor]) -> Distribution:
        maps = MatrixNormal.of_sides(parameters["loc"], side("row", parameters), side("column", parameters))
        return Independent(maps, 1, validate_args=False)
