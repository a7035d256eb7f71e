"""Prior holes: does the prior draw codes from where the encoded images have none?"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.metrics.aggregate import Aggregate

__all__ = ["share_outside"]

DRAWS = 1000
QUANTILE = 0.99
JITTER = 1e-4


def share_outside(aggregate: Aggregate, codes: Tensor, prior: Distribution) -> float:
    """The share of 1,000 draws from the prior farther out than 99 % of the codes, in Mahalanobis distance.

    About 0.01 where codes are spread as the prior is, near 1 where the prior mostly draws what no image is encoded to.
    Distances are taken under the aggregate's covariance + 1e-4 * (mean variance) * I. They see means and
    covariances alone: 0.01 does not prove that there are no holes.

    Args:
        aggregate: fitted to other images than the codes' own. A covariance fits the images that it was made from
            better than any new code, be it of an image or of the prior; with few images by far.
        codes: draws from q(z|x), [n, numbers].
        prior: p(z), event [maps, height, width].

    >>> _ = torch.manual_seed(0)
    >>> narrow = Aggregate((8, 1, 1), torch.zeros(1, 8).double(), 0.01 * torch.eye(8)[None].double())
    >>> from spatialvae.priors import standard_normal
    >>> share_outside(narrow, 0.1 * torch.randn(500, 8), standard_normal((8, 1, 1))) > 0.99
    True
    """
    drawn = prior.sample(torch.Size([DRAWS])).flatten(1).cpu().double()
    edge = aggregate.distances(codes, JITTER).quantile(QUANTILE)
    return (aggregate.distances(drawn, JITTER) > edge).double().mean().item()
