"""How near the mean maps are to rank 1, the low-rank latent's restriction."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["rank_one_share"]


def rank_one_share(means: Tensor) -> Tensor:
    """The share of the maps' energy in their best rank-1 approximations, one value an image, float64.

        sum_k s_1(M_k)^2 / sum_k ||M_k||_F^2,   s_1 the largest singular value

    1 where every map is an outer product, at least 1 / min(h, w). A map counts by its energy, so that the maps that
    say nothing do not blur those that do.

    Args:
        means: [B, maps, height, width].

    Returns:
        [B], or fewer: images whose means are all zero have no share and are left out.

    >>> rank_one_share(torch.tensor([[[[3.0, 0.0], [0.0, 1.0]]]]))
    tensor([0.9000], dtype=torch.float64)
    """
    maps = means.cpu().double()
    # The squared singular values are the eigenvalues of the smaller Gram matrix: half the time of svdvals.
    gram = maps @ maps.mT if maps.shape[-2] <= maps.shape[-1] else maps.mT @ maps
    largest = torch.linalg.eigvalsh(gram)[..., -1].sum(-1)
    energy = gram.diagonal(dim1=-2, dim2=-1).sum((-2, -1))
    some = energy > 0
    return largest[some] / energy[some]
