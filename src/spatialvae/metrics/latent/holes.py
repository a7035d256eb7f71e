"""Prior holes: does the prior draw codes from where the encoded images have none?"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.metrics.latent.aggregate import Aggregate
from spatialvae.metrics.latent.alarms import HOLES
from spatialvae.model import SpatialVAE
from spatialvae.priors import GaussianPrior, prior_title
from spatialvae.seeding import seeded

__all__ = ["holes_warning", "share_outside"]

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


@torch.no_grad()
def holes_warning(model: SpatialVAE) -> str | None:
    """A sentence where draws from the model's own prior mostly miss the codes, and a fitted prior is better; else None.

    Codes are judged by the Gaussian that was fitted to them: a draw misses them where it lies farther out than 99 % of
    that Gaussian's own draws. No image is read.
    """
    gaussian = model.priors.get("gaussian")
    if not isinstance(gaussian, GaussianPrior):
        return None
    with seeded(0):
        own, drawn = (distribution.sample(torch.Size([DRAWS])) for distribution in (gaussian(), model.prior()))
    edge = gaussian.whiten(own).flatten(1).norm(dim=1).quantile(QUANTILE)
    outside = (gaussian.whiten(drawn.to(own)).flatten(1).norm(dim=1) > edge).float().mean().item()
    if outside <= HOLES:
        return None
    name = prior_title(model.priors.own)
    others = [prior for prior in model.priors if prior != "gaussian"]
    better = model.priors.default if model.priors.default != model.priors.own else (*others, "gaussian")[0]
    return (
        f"{outside:.0%} of the draws from {name} lie where hardly any image is encoded to: expect noise. "
        f"Draw from a fitted prior: `prior` {better}."
    )
