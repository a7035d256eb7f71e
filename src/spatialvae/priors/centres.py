"""Where a mixture begins: centres among the codes, and the covariance that the codes share about them."""

from __future__ import annotations

import torch
from torch import Tensor

from spatialvae.priors.base import Codes
from spatialvae.priors.gaussian import GaussianPrior
from spatialvae.priors.normal import CodeNormal

__all__ = ["centres_of", "share_covariance"]

FIRST = 5000
"""Codes that centres are made from."""
PASSES = 10
MOST = 0.995
"""Standard deviation along a direction, of 1, that centres may explain."""


def centres_of(codes: Codes, components: int) -> Tensor:
    """Centres [K, numbers] by k-means on a few thousand codes.

    Where the images have labels and there is a component for every class, each class gets its own centres: what differs
    between classes is little beside all else that differs between images, and k-means on all would not see it.
    """
    from sklearn.cluster import KMeans

    drawn = list(codes.draws(limit=max(FIRST, 20 * components)))
    flat = torch.cat([part for part, _ in drawn]).flatten(1)
    groups = [flat]
    if codes.classes and components >= codes.classes:
        labels = torch.cat([own for _, own in drawn if own is not None])
        groups = [own for c in range(codes.classes) if len(own := flat[labels.to(flat.device) == c])]
    found = []
    for index, group in enumerate(groups):
        wanted = components // len(groups) + (index < components % len(groups))
        wanted = min(wanted, len(group))
        seed = int(torch.randint(2**31 - 1, ()).item())
        model = KMeans(wanted, n_init=1, random_state=seed)  # pyright: ignore[reportArgumentType]
        means = model.fit(group.cpu().numpy()).cluster_centers_
        found.append(torch.from_numpy(means).to(flat))
    centres = torch.cat(found)
    if len(centres) < components:  # classes with fewer codes than centres: the rest lie where some code is
        extra = torch.randint(len(flat), (components - len(centres),), device=flat.device)
        centres = torch.cat([centres, flat[extra]])
    return centres


def share_covariance(codes: Codes, total: GaussianPrior, centres: Tensor) -> tuple[GaussianPrior, Tensor]:
    """The mixture whose components share one full covariance, by expectation maximisation on a few thousand codes.

    In y = whiten(z), whose covariance is the identity, shares r_ik = p(k | y_i) give weights w_k and means m_k; what
    the means do not explain is shared:

        S = I - sum_k w_k (m_k - m)(m_k - m)^T,   m = sum_k w_k m_k.

    Args:
        total: the Gaussian fitted to the codes, with a full covariance. centres: first means [K, numbers], in y.

    Returns:
        the Gaussian with the codes' mean and covariance R S R, R being the root of `total`, and the means in its own
        whitened coordinates.
    """
    drawn = torch.cat([part for part, _ in codes.draws(limit=FIRST)])
    y = total.whiten(drawn).flatten(1)
    identity = torch.eye(y.shape[1]).to(y)
    weights, factor = torch.full((len(centres),), 1 / len(centres)).to(y), identity
    for _ in range(PASSES):
        seen, means = (torch.linalg.solve_triangular(factor, side.mT, upper=False).mT for side in (y, centres))
        shares = (weights.log() - 0.5 * torch.cdist(seen, means).square()).softmax(-1)
        mass = shares.sum(0).clamp(min=1e-3)
        weights, centres = mass / mass.sum(), (shares.mT @ y) / mass[:, None]
        offsets = (centres - weights @ centres) * weights.sqrt()[:, None]
        _, explained, directions = torch.linalg.svd(offsets, full_matrices=False)
        directions = directions * explained.clamp(max=MOST)[:, None]  # more than all by chance, with few codes
        factor = torch.linalg.cholesky(identity - directions.mT @ directions)
    scaled = CodeNormal(torch.zeros(1, *codes.event_shape).to(y), (factor[None],))
    shared = GaussianPrior(total.family, CodeNormal(total.mean, total.coloured(scaled).one(0).factors))
    return shared, shared.whiten(total.colour(centres.reshape(-1, *codes.event_shape))).flatten(1)
