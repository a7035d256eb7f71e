"""The spatial VAE via low-rank matrix-variate normal distributions (section 3.4 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent

from spatialvae.distributions import MatrixNormal
from spatialvae.errors import UserError
from spatialvae.latents.base import LATENTS, AbstractLatent
from spatialvae.latents.covariance import Covariance, row_and_column_axes, row_and_column_shapes, side

__all__ = ["LowRank"]

START = 0.1
"""The standard deviation of the row factors at the start: a product of two zeros has no gradient."""


@LATENTS.register("low-rank")
@dataclass(frozen=True)
class LowRank(AbstractLatent):
    """N matrix-normal maps whose mean is a product of thin factors; N (h + w) (rank + 1) outputs if diagonal.

    F_k ~ N(U_k V_k^T, Omega_k (x) Psi_k) with U_k h x rank and V_k w x rank. Rank 1 is the paper's outer
    product mu_k nu_k^T (equation 7); rank min(h, w) reaches every mean. `covariance` as in `MatrixNormalMaps`.

    >>> LowRank(maps=64, height=3, width=3).encoder_outputs
    768
    """

    rank: int = 1
    covariance: Covariance = "diagonal"

    description = "matrix normal, low-rank mean"
    equation = "F_k ~ N(mu_k nu_k^T, Omega_k (x) Psi_k)"

    def __post_init__(self) -> None:
        super().__post_init__()
        largest = min(self.height, self.width)
        if not 1 <= self.rank <= largest:
            size = f"{self.height}x{self.width}"
            near = 1 if self.rank < 1 else largest
            raise UserError(
                f"rank={self.rank!r} is not possible for maps of {size}: use 1 to {largest}, for instance rank={near}."
            )

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            "row_factor": (self.maps, self.height, self.rank),
            "column_factor": (self.maps, self.width, self.rank),
            **row_and_column_shapes(self.covariance, (self.maps,), self.height, self.width),
        }

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        sides = row_and_column_axes(self.shapes, ("map",))
        return {"row_factor": ("map", "row", "rank"), "column_factor": ("map", "column", "rank"), **sides}

    def initial(self) -> dict[str, Tensor]:
        return {**super().initial(), "row_factor": torch.empty(self.shapes["row_factor"]).normal_(std=START)}

    def distribution(self, parameters: dict[str, Tensor]) -> Distribution:
        rows, columns = parameters["row_factor"], parameters["column_factor"]
        # For rank 1 the broadcast product is the outer product without a batched 3x1 by 1x3 matmul.
        loc = rows * columns.mT if self.rank == 1 else rows @ columns.mT
        maps = MatrixNormal.of_sides(loc, side("row", parameters), side("column", parameters))
        return Independent(maps, 1, validate_args=False)
