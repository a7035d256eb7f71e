"""Where a mixture begins: centres among the codes, each class with its own."""

from __future__ import annotations

import torch
from torch import Tensor

from spatialvae.globals import globals_kept
from spatialvae.priors.base import Codes

__all__ = ["centres_of"]

FIRST = 5000
"""Codes that centres are made from."""


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
    with globals_kept():
        from sklearn.cluster import KMeans

    if len(flat) <= count:
        return flat[torch.arange(count, device=flat.device) % len(flat)]
    seed = int(torch.randint(2**31 - 1, ()).item())
    model = KMeans(count, n_init=1, random_state=seed)  # pyright: ignore[reportArgumentType]
    return torch.from_numpy(model.fit(flat.cpu().numpy()).cluster_centers_).to(flat)
