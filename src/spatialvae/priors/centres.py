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
SHARED = 20_000
"""Codes that the shared covariance and the means about it are made from."""
PASSES = 10
MOST = 0.995
"""Standard deviation along a direction, of 1, that centres may explain."""


def centres_of(codes: Codes, components: int) -> tuple[Tensor, Tensor | None]:
    """Centres [K, numbers] by k-means on a few thousand codes, and whose they are, bool [classes, K].

    Where the images have labels and there is a component for every class, each class has centres of its own: what
    differs between classes is little beside all else that differs between images, and k-means on all would not see it.
    Else they are nobody's (None).
    """
    drawn = list(codes.draws(limit=max(FIRST, 20 * components)))
    flat = torch.cat([part for part, _ in drawn]).flatten(1)
    if not codes.classes or components < codes.classes:
        return _means(flat, components), None
    labels = torch.cat([own for _, own in drawn if own is not None]).to(flat.device)
    found, owners = [], torch.zeros(codes.classes, components, dtype=torch.bool, device=flat.device)
    present = labels.unique().tolist()
    for index, label in enumerate(present):
        wanted = components // len(present) + (index < components % len(present))
        first = sum(len(means) for means in found)
        found.append(_means(flat[labels == label], wanted))
        owners[label, first : first + wanted] = True
    return torch.cat(found), owners


def _means(flat: Tensor, count: int) -> Tensor:
    """`count` centres of codes [n, numbers]; fewer codes than centres are their own centres, some of them twice."""
    from sklearn.cluster import KMeans

    if len(flat) <= count:
        return flat[torch.arange(count, device=flat.device) % len(flat)]
    seed = int(torch.randint(2**31 - 1, ()).item())
    model = KMeans(count, n_init=1, random_state=seed)  # pyright: ignore[reportArgumentType]
    return torch.from_numpy(model.fit(flat.cpu().numpy()).cluster_centers_).to(flat)


def share_covariance(
    codes: Codes, total: GaussianPrior, centres: Tensor, owners: Tensor | None = None
) -> tuple[GaussianPrior, Tensor]:
    """The mixture whose components share one full covariance, by expectation maximisation on some 20,000 codes.

    In y = whiten(z), whose covariance is the identity, shares r_ik = p(k | y_i) give weights w_k and means m_k; what
    the means do not explain is shared:

        S = I - sum_k w_k (m_k - m)(m_k - m)^T,   m = sum_k w_k m_k.

    Args:
        total: the Gaussian fitted to the codes, with a full covariance.
        centres: first means [K, numbers], in y.
        owners: bool [classes, K], whose they are; a code belongs to its own class's alone.

    Returns:
        the Gaussian with the codes' mean and covariance R S R, R being the root of `total`, and the means in its own
        whitened coordinates.
    """
    drawn = list(codes.draws(limit=SHARED))
    y = total.whiten(torch.cat([part for part, _ in drawn])).flatten(1)
    allowed = torch.ones(1, len(centres), dtype=torch.bool, device=y.device)
    if owners is not None:
        allowed = owners[torch.cat([own for _, own in drawn if own is not None]).to(y.device)]
    identity = torch.eye(y.shape[1]).to(y)
    weights, factor = torch.full((len(centres),), 1 / len(centres)).to(y), identity
    for _ in range(PASSES):
        seen, means = (torch.linalg.solve_triangular(factor, side.mT, upper=False).mT for side in (y, centres))
        joint = weights.log() - 0.5 * torch.cdist(seen, means).square()
        shares = joint.masked_fill(~allowed, -torch.inf).softmax(-1)
        mass = shares.sum(0).clamp(min=1e-3)
        weights, centres = mass / mass.sum(), (shares.mT @ y) / mass[:, None]
        offsets = (centres - weights @ centres) * weights.sqrt()[:, None]
        _, explained, directions = torch.linalg.svd(offsets, full_matrices=False)
        directions = directions * explained.clamp(max=MOST)[:, None]  # more than all by chance, with few codes
        factor = torch.linalg.cholesky(identity - directions.mT @ directions)
    scaled = CodeNormal(torch.zeros(1, *codes.event_shape).to(y), (factor[None],))
    shared = GaussianPrior(total.family, CodeNormal(total.mean, total.coloured(scaled).one(0).factors))
    return shared, shared.whiten(total.colour(centres.reshape(-1, *codes.event_shape))).flatten(1)
