"""Where a mixture begins: centres among the codes, each class with its own."""

from __future__ import annotations

import torch
from torch import Tensor

from spatialvae.globals import globals_kept
from spatialvae.priors.codes import Codes
from spatialvae.priors.mixture.label_weights import labelled_draws

__all__ = ["centres_of"]

FIRST = 5000
"""Codes that centres are made from, at least."""
CODES_A_CENTRE = 20
"""At least, where there are as many."""


def centres_of(codes: Codes, components: int) -> tuple[Tensor, Tensor | None]:
    """Centres [K, numbers] by k-means on a few thousand codes, and whose they are, bool [classes, K].

    Where the images have labels and there is a component for every class with images, each class has centres of its
    own: what differs between classes is little beside all else that differs between images, and k-means on all would
    not see it. Else they are nobody's (None).
    """
    seen = codes.labels.seen
    if not seen or components < len(seen):
        drawn = codes.draws(limit=max(FIRST, CODES_A_CENTRE * components))
        return _means(torch.cat([part for part, _ in drawn]).flatten(1), components), None
    most = max(FIRST // len(seen), CODES_A_CENTRE * -(-components // len(seen)))
    parts, their_labels = zip(*labelled_draws(codes, most), strict=True)
    flat, labels = torch.cat(parts).flatten(1), torch.cat(their_labels)
    centres, owners = [], torch.zeros(len(codes.labels), components, dtype=torch.bool, device=flat.device)
    for index, label in enumerate(seen):
        wanted = components // len(seen) + (index < components % len(seen))
        first = sum(len(means) for means in centres)
        centres.append(_means(flat[labels.to(flat.device) == label], wanted))
        owners[label, first : first + wanted] = True
    return torch.cat(centres), owners


def _means(flat: Tensor, count: int) -> Tensor:
    """`count` centres of codes [n, numbers]; fewer codes than centres are their own centres, some of them twice."""
    with globals_kept():
        from sklearn.cluster import KMeans

    if len(flat) <= count:
        return flat[torch.arange(count, device=flat.device) % len(flat)]
    seed = int(torch.randint(2**31 - 1, ()).item())
    model = KMeans(count, n_init=1, random_state=seed)  # pyright: ignore[reportArgumentType]
    return torch.from_numpy(model.fit(flat.cpu().numpy()).cluster_centers_).to(flat)
