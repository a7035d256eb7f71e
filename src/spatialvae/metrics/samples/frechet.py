"""The Fréchet distance between Gaussians fitted to two sets of features (Heusel et al., 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from spatialvae.estimate import Estimate
from spatialvae.metrics.samples.features import check_features

__all__ = ["bootstrap_counts", "frechet", "frechet_distance", "too_few"]

ROWS = 1024  # features taken to double precision together
RESAMPLES, MOST_RESAMPLED = 100, 256
FEW = 10  # images a feature; below this the bias is of the size of the differences that papers report


@dataclass(frozen=True)
class _Moments:
    """Mean [F] and unbiased covariance [F F], float64."""

    mean: Tensor
    covariance: Tensor


def frechet_distance(features: Tensor, others: Tensor) -> float:
    """The squared distance of two Gaussians with the sets' means and unbiased covariances, features [n F] and [m F].

        |m1 - m2|^2 + trace(S1 + S2 - 2 (S1 S2)^(1/2))

    The trace of the root is the sum of the singular values of S1^(1/2) S2^(1/2): real for singular covariances too.
    Its expectation is above that of infinitely many images and falls with n: compare at equal n.

    >>> frechet_distance(torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [5.0]]))
    9.0

    Raises:
        UserError: features that are not finite [n F] with n of at least 2, or of two networks.
    """
    check_features(features, others)
    return _distance(_moments(features), _moments(others))


def frechet(features: Tensor, others: Tensor, *, resamples: int | None = None, seed: int = 0) -> Estimate:
    """`frechet_distance` with its standard error over images of both sets; n is the length of `features`.

    The error is a bootstrap's, 100 resamples, for up to 256 features. Above, where a resample takes a minute, it is
    the bootstrap's limit for many images, from the distance's derivative (see `_linear_error`). Fewer than 2 resamples
    give no error. For sets of one distribution the bootstrap's is too large, as the distance then is all bias.

    >>> frechet(torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [5.0]]), resamples=0)
    Estimate(value=9.0, standard_error=None, n=2, over='images')
    """
    value = frechet_distance(features, others)
    if resamples is None and features.shape[1] > MOST_RESAMPLED:
        return Estimate(value, _linear_error(features, others), len(features))
    generator = torch.Generator().manual_seed(seed)
    counts = [
        bootstrap_counts(len(each), RESAMPLES if resamples is None else resamples, generator)
        for each in (features, others)
    ]
    draws = [_distance(_moments(features, one), _moments(others, other)) for one, other in zip(*counts, strict=True)]
    error = torch.tensor(draws, dtype=torch.float64).std().item() if len(draws) > 1 else None
    return Estimate(value, error, len(features))


def too_few(n: int, dimension: int) -> str | None:
    """A warning in words where n images are fewer than ten times the features; None where they are enough.

    >>> too_few(1000, 64) is None
    True
    >>> too_few(1000, 2048)
    '1000 images for 2048 features: the Fréchet distance comes out too large, the more so the fewer the images. Compare
    only at equal numbers of images, or take 20480 or more.'
    """
    if n >= FEW * dimension:
        return None
    return (
        f"{n} images for {dimension} features: the Fréchet distance comes out too large, the more so the fewer the "
        f"images. Compare only at equal numbers of images, or take {FEW * dimension} or more."
    )


def bootstrap_counts(n: int, resamples: int, generator: torch.Generator) -> Iterator[Tensor]:
    """How often each of n images is in a resample of n with replacement: multinomial counts [n], float64, each time.

    >>> [counts] = bootstrap_counts(5, 1, torch.Generator().manual_seed(0))
    >>> counts.sum().item()
    5.0
    """
    for _ in range(resamples):
        chosen = torch.randint(n, (n,), generator=generator)
        yield torch.bincount(chosen, minlength=n).double()


def _moments(features: Tensor, counts: Tensor | None = None) -> _Moments:
    """Of the features, or of the resample that has each of them `counts` [n] times."""
    n, dimension = features.shape
    # About a point in their middle, so that nothing cancels in the products below.
    centre = features.mean(0, dtype=torch.float64)
    total, products = torch.zeros_like(centre), centre.new_zeros(dimension, dimension)
    for start in range(0, n, ROWS):
        rows = features[start : start + ROWS].double() - centre
        weighted = rows if counts is None else rows * counts[start : start + ROWS, None]
        total += weighted.sum(0)
        products += rows.mT @ weighted
    shift = total / n
    return _Moments(centre + shift, (products - n * shift.outer(shift)) / (n - 1))


def _distance(one: _Moments, other: _Moments) -> float:
    apart = (one.mean - other.mean).square().sum()
    root = torch.linalg.svdvals(_factor(one.covariance).mT @ _factor(other.covariance)).sum()
    squared = apart + one.covariance.trace() + other.covariance.trace() - 2 * root
    return max(0.0, squared.item())  # rounding alone takes it below


def _factor(covariance: Tensor) -> Tensor:
    """A with A A^T = S. A and S^(1/2) differ by a rotation, which singular values do not see."""
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp(min=0).sqrt()


def _linear_error(features: Tensor, others: Tensor) -> float:
    """The standard error of the distance's linear part: what the bootstrap's tends to with the number of images.

    With T the optimal linear map from the first Gaussian to the second, T S1 T = S2, the derivative of the distance in
    the direction of one image x of the first set is, up to a constant,

        2 (m1 - m2).(x - m1) + (x - m1)^T (I - T) (x - m1),

    and T^-1 for the second set. The error is the root of the sum of both variances over n and m.
    """
    one, other = _moments(features), _moments(others)
    root = _power(one.covariance, 0.5)
    middle, inverse = root @ other.covariance @ root, _power(one.covariance, -0.5)
    forth, back = inverse @ _power(middle, 0.5) @ inverse, root @ _power(middle, -0.5) @ root
    apart = 2 * (one.mean - other.mean)
    variances = [
        _derivatives(features, one.mean, apart, forth).var() / len(features),
        _derivatives(others, other.mean, -apart, back).var() / len(others),
    ]
    return sum(variance.item() for variance in variances) ** 0.5


def _derivatives(features: Tensor, mean: Tensor, apart: Tensor, transport: Tensor) -> Tensor:
    rest = torch.eye(len(mean), dtype=torch.float64) - transport
    parts = [rows.double() - mean for rows in features.split(ROWS)]
    return torch.cat([rows @ apart + ((rows @ rest) * rows).sum(1) for rows in parts])


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """A symmetric matrix to a power, on the subspace where it is not singular."""
    values, vectors = torch.linalg.eigh(matrix)
    solid = values > 1e-10 * values.max()
    powers = torch.where(solid, values.clamp(min=1e-300).pow(exponent), 0)
    return (vectors * powers) @ vectors.mT
