"""Maps of a tensor-variate normal: the covariance across the maps is learned and shared by all images."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.distributions import Distribution

from spatialvae.distributions import TensorNormal
from spatialvae.latents.base import LATENTS, AbstractLatent
from spatialvae.latents.covariance import Covariance, row_and_column_axes, row_and_column_shapes, side, side_shapes

__all__ = ["TensorNormalMaps"]


@LATENTS.register("tensor-normal")
@dataclass(frozen=True)
class TensorNormalMaps(AbstractLatent):
    """N maps with a free mean and one Kronecker covariance; N h w + h + w outputs if rows and columns are diagonal.

    F ~ N(M, Sigma (x) Omega (x) Psi): Sigma [N, N], the covariance across the maps, is a parameter of the model. Omega
    and Psi come from the image and are shared by its maps, so a map's variance moves with the image through one number
    a row and one a column.

    >>> latent = TensorNormalMaps(maps=64, height=3, width=3)
    >>> latent.encoder_outputs, latent.shared_shapes
    (582, {'map_scale': (64,), 'map_mixing': (2016,)})
    """

    covariance: Covariance = "diagonal"

    description = "tensor normal, one learned covariance across the maps"
    equation = "F ~ N(M, Sigma (x) Omega (x) Psi)"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            "loc": self.event_shape,
            **row_and_column_shapes(self.covariance, (), self.height, self.width),
        }

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        sides = row_and_column_axes(self.shapes, ())
        return {"loc": ("map", "row", "column"), **sides}

    @property
    def shared_shapes(self) -> dict[str, tuple[int, ...]]:
        return side_shapes("full", "map", (), self.maps)

    def distribution(self, parameters: dict[str, Tensor]) -> Distribution:
        sides = [side(name, parameters) for name in ("map", "row", "column")]
        return TensorNormal(parameters["loc"], sides, validate_args=False)
