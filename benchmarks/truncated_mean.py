"""A latent for studies of low-rank means: matrix-normal maps whose mean is the best rank-r matrix near a free one.

    spatialvae compare --plugin benchmarks/truncated_mean.py --data cifar10 --network residual:down=2,norm=none \
        --latent naive truncated:rank=4 low-rank:rank=4 --out runs/truncated

`low-rank` puts its factors out of features averaged over rows and columns. Here the encoder puts out the whole mean,
which starts as the code of the network's linear path, and its first r right singular vectors make the projection:

    M_r = M P,   P = V_r V_r^T,   M = U S V^T

P is held constant in the gradient, so that equal singular values do no harm. What this latent loses to `matrix-normal`
is what rank r costs; what `low-rank` loses beyond that is its encoder's doing. It saves no encoder outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.latents import LATENTS, AbstractLatent
from spatialvae.latents.matrix_normal import MatrixNormalMaps

__all__ = ["TruncatedMean", "truncated"]


def truncated(mean: Tensor, rank: int) -> Tensor:
    """The matrix of `rank` that is nearest to each of [... h w], differentiable in it with its row space held.

    >>> mean = torch.diag(torch.tensor([3.0, 2.0, 1.0]))
    >>> truncated(mean, 2)
    tensor([[3., 0., 0.],
            [0., 2., 0.],
            [0., 0., 0.]])
    """
    with torch.no_grad():
        right = torch.linalg.svd(mean, full_matrices=False)[2][..., :rank, :]
    return mean @ right.mT @ right


@LATENTS.register("truncated")
@dataclass(frozen=True)
class TruncatedMean(AbstractLatent):
    """N matrix-normal maps with diagonal covariances, their means cut to rank `rank`."""

    rank: int = 1

    description = "matrix normal, mean cut to its nearest of low rank"
    equation = "F_k ~ N(M_k V_r V_r^T, Omega_k (x) Psi_k)"

    @property
    def free(self) -> MatrixNormalMaps:
        """The latent whose mean is not cut."""
        return MatrixNormalMaps(self.maps, self.height, self.width)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self.free.shapes

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        return self.free.axes

    def distribution(self, parameters: dict[str, Tensor]) -> Distribution:
        return self.free.distribution({**parameters, "loc": truncated(parameters["loc"], self.rank)})
