"""How the cells of a map hang together: within an image, under the prior, and over images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spatialvae.data.subset import subset
from spatialvae.model import SpatialVAE
from spatialvae.runtime.evaluating import evaluating
from spatialvae.seeding import seeded

__all__ = ["SiteCorrelations", "neighbours", "off_diagonal", "site_correlation", "site_correlations"]

DRAWS = 4000
POSTERIOR_IMAGES, POSTERIOR_DRAWS = 50, 500
BATCH = 250


@dataclass(frozen=True, eq=False)
class SiteCorrelations:
    """Correlations between the cells of a map, mean over maps, cells in reading order: [h w, h w] each."""

    posterior: Tensor
    """Within an image: of q(z|x), mean over images."""
    prior: Tensor
    """Of draws from the prior."""
    aggregate: Tensor
    """Over images: of draws from (1/n) sum_i q(z|x_i)."""


def site_correlation(draws: Tensor) -> Tensor:
    """The correlation between cells over draws, mean over all axes between: [n, *maps, height, width] -> [h w, h w].

        r_ab = mean_k cov(z_ka, z_kb) / (s_ka s_kb)

    A number that never changes has no correlation with others, 0.

    >>> draws = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, -1.0]]).view(3, 1, 1, 2)
    >>> site_correlation(draws).round(decimals=6)
    tensor([[ 1., -1.],
            [-1.,  1.]], dtype=torch.float64)
    """
    sites = draws.double().flatten(1, -3).flatten(-2)  # [n, maps, sites]
    centred = (sites - sites.mean(0)).transpose(0, 1)
    scale = centred.square().sum(1).sqrt()
    white = torch.where(scale > 0, 1 / scale, 0)[:, None] * centred
    correlation = (white.mT @ white).mean(0)
    return correlation.fill_diagonal_(1.0)


@torch.no_grad()
def site_correlations(
    model: SpatialVAE, images: Tensor, *, prior: str | None = None, seed: int = 0
) -> SiteCorrelations:
    """The three correlations between cells, from draws.

    The prior's from 4,000 draws; the posterior's from 500 draws for each of 50 images, drawn with the seed; the
    aggregate's from one draw for every image, or more where the images are fewer than 4,000.

    Args:
        images: [B C H W]; with few the aggregate is that of these few.
        prior: a name; default: the model's `priors.default`.
    """
    with evaluating(model), seeded(seed):
        codes_of_prior = model.prior(prior or model.priors.default)
        drawn = site_correlation(codes_of_prior.sample(torch.Size([DRAWS])).cpu())
        within, codes = [], []
        for batch in images.split(BATCH):
            q = model.encode(batch.to(model.device))
            codes.append(q.sample(torch.Size([-(-DRAWS // len(images))])).cpu().flatten(0, 1))
        for image in images[subset(len(images), POSTERIOR_IMAGES, seed=seed)].split(1):
            q = model.encode(image.to(model.device))
            within.append(site_correlation(q.sample(torch.Size([POSTERIOR_DRAWS])).cpu()))
    return SiteCorrelations(torch.stack(within).mean(0), drawn, site_correlation(torch.cat(codes)))


def neighbours(correlation: Tensor, map_size: tuple[int, int]) -> float:
    """The mean correlation of cells that touch along a side; 0 where there are none.

    >>> neighbours(torch.tensor([[1.0, 0.5], [0.5, 1.0]]), (1, 2))
    0.5
    """
    height, width = map_size
    grid = torch.arange(height * width).reshape(height, width)
    pairs = torch.cat(
        [
            torch.stack([grid[:, :-1].flatten(), grid[:, 1:].flatten()]),
            torch.stack([grid[:-1].flatten(), grid[1:].flatten()]),
        ],
        dim=1,
    )
    return correlation[pairs[0], pairs[1]].mean().item() if pairs.shape[1] else 0.0


def off_diagonal(correlation: Tensor) -> float:
    """The mean absolute correlation of two different cells.

    >>> off_diagonal(torch.tensor([[1.0, -0.5], [-0.5, 1.0]]))
    0.5
    """
    different = ~torch.eye(len(correlation), dtype=torch.bool)
    return correlation[different].abs().mean().item() if different.any() else 0.0
