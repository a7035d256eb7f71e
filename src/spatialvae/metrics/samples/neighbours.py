"""Precision, recall, density and coverage: which features lie in the nearest-neighbour balls of the other set."""

from __future__ import annotations

import torch
from torch import Tensor

from spatialvae.errors import UserError
from spatialvae.estimate import Estimate
from spatialvae.metrics.samples.distances import squared_distances
from spatialvae.metrics.samples.nearest import ROUNDING, nearest

__all__ = ["density_coverage", "neighbour_metrics", "precision_recall"]

NAMES = ("real features", "fake features")

SURFACE = 1 + 1e-9
"""A ball holds what lies on its surface; the squared radius is taken larger by this, since blocks round differently."""


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> dict[str, Estimate]:
    """Which share of fakes lies on the real manifold, and of reals on the fake one (Kynkäänniemi et al., 2019).

        precision = mean over fakes y of [some real x has |x - y| <= r_k(x)]
        recall    = mean over reals x of [some fake y has |x - y| <= r_k(y)]

    r_k is the distance to the k-th nearest neighbour in the point's own set, itself left out. Both depend on n and m:
    compare numbers of equal set sizes only. Standard errors as in `neighbour_metrics`.

    Args:
        real: features [n, F].
        fake: features [m, F].

    Returns:
        `precision` and `recall`, shares from 0 to 1.

    Raises:
        UserError: fewer than k + 1 images in a set, k under 1, unequal F, NaN.

    >>> square = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> estimates = precision_recall(square, torch.cat([square, square + 9]), k=1)
    >>> estimates["precision"].value, estimates["recall"].value
    (0.5, 1.0)
    """
    estimates = neighbour_metrics(real, fake, manifold_k=k, ball_k=k)
    return {name: estimates[name] for name in ("precision", "recall")}


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> dict[str, Estimate]:
    """How many real balls hold a fake, and which share of real balls holds one (Naeem et al., 2020).

        density  = mean over fakes y of (number of reals x with |x - y| <= r_k(x)) / k
        coverage = mean over reals x of [some fake y has |x - y| <= r_k(x)]

    An outlier among the reals has a large ball and moves precision, but hardly these two. Two sets of one distribution
    have a density near 1 and, with m = n, a coverage near 1 - 2^-k. Standard errors as in `neighbour_metrics`.

    Args:
        real: features [n, F].
        fake: features [m, F].

    Returns:
        `density`, a ratio from 0 that may exceed 1, and `coverage`, a share from 0 to 1.

    Raises:
        UserError: fewer than k + 1 images in a set, k under 1, unequal F, NaN.

    >>> square = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> estimates = density_coverage(square, square[:2] + 0.5, k=1)
    >>> estimates["density"].value, estimates["coverage"].value
    (3.0, 1.0)
    """
    estimates = neighbour_metrics(real, fake, manifold_k=k, ball_k=k)
    return {name: estimates[name] for name in ("density", "coverage")}


@torch.no_grad()
def neighbour_metrics(real: Tensor, fake: Tensor, *, manifold_k: int = 3, ball_k: int = 5) -> dict[str, Estimate]:
    """`precision`, `recall`, `density` and `coverage` from one pass over the distances.

    Definitions in `precision_recall` (neighbours: `manifold_k`) and `density_coverage` (`ball_k`).

    The standard error is s / sqrt(n) over the set that is averaged, what a bootstrap over that set tends to: the fakes
    for precision and density, the reals for recall and coverage; the other set and all radii are held fixed. Resampling
    the points that radii come from would put copies at distance zero and shrink the balls. So the error leaves out
    what another draw of the other set would change.

    Distances are float64, in blocks: memory does not grow with n or m.

    Args:
        real: features [n, F].
        fake: features [m, F].

    Raises:
        UserError: fewer than k + 1 images in a set, k under 1, unequal F, NaN.

    >>> list(neighbour_metrics(torch.rand(20, 4), torch.rand(10, 4)))
    ['precision', 'recall', 'density', 'coverage']
    """
    _demand(real, fake, manifold_k, ball_k)
    device = fake.device
    manifold, balls = (radii.unsqueeze(1).to(device) for radii in _squared_radii(real, NAMES[0], manifold_k, ball_k))
    (fake_manifold,) = _squared_radii(fake, NAMES[1], manifold_k)
    precise = torch.zeros(len(fake), dtype=torch.bool, device=device)
    holders = torch.zeros(len(fake), dtype=torch.int64, device=device)
    recalled, covered = torch.zeros(2, len(real), dtype=torch.bool, device=device)
    for rows, columns, squared in squared_distances(real, fake, names=NAMES, rounding=ROUNDING):
        precise[columns] |= (squared <= manifold[rows]).any(0)
        recalled[rows] |= (squared <= fake_manifold[columns]).any(1)
        held = squared <= balls[rows]
        holders[columns] += held.sum(0)
        covered[rows] |= held.any(1)
    values = {"precision": precise, "recall": recalled, "density": holders.double() / ball_k, "coverage": covered}
    return {name: Estimate.of(value) for name, value in values.items()}


def _squared_radii(features: Tensor, name: str, *ks: int) -> list[Tensor]:
    """For each k, the squared distance to the k-th nearest other point of the set, [n], its surface included."""
    squared = nearest(features, features, max(ks), names=(name, name), itself=False).squared
    return [squared[:, k - 1] * SURFACE for k in ks]


def _demand(real: Tensor, fake: Tensor, *ks: int) -> None:
    if min(ks) < 1:
        raise UserError(f"k is {min(ks)}; the number of nearest neighbours must be 1 or more.")
    for name, features in zip(NAMES, (real, fake), strict=True):
        if features.ndim != 2 or not features.is_floating_point():
            raise UserError(
                f"The {name} are {features.dtype} {list(features.shape)}; wanted are floats [images, features]."
            )
        if len(features) <= max(ks):
            raise UserError(
                f"There are {len(features)} {name}; {max(ks)} nearest neighbours need at least {max(ks) + 1} images."
            )
    if real.shape[1] != fake.shape[1]:
        raise UserError(
            f"An image has {real.shape[1]} real features and {fake.shape[1]} fake ones; "
            "both must come from the same network."
        )
