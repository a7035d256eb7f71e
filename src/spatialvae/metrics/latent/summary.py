"""The health of a latent as numbers."""

from __future__ import annotations

from dataclasses import dataclass

from spatialvae.estimate import Estimate

__all__ = ["AggregateSummary", "LatentHealth"]

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class AggregateSummary:
    """The aggregate posterior against the model's prior, in units of the prior's standard deviation from its mean."""

    largest_mean: float
    """In absolute value, over the numbers of a code."""
    smallest_variance: float
    median_variance: float
    largest_variance: float
    kl_to_prior: float | None
    """Nats, of the Gaussian with its mean and covariance."""
    site_correlation: tuple[Numbers, ...] | None
    """[h w][h w], mean over maps of the correlation between sites; None beyond 144 sites."""
    absolute_site_correlation: tuple[Numbers, ...] | None
    """[h w][h w], mean over maps of its absolute value."""


@dataclass(frozen=True)
class LatentHealth:
    """What the codes of a split's images look like; see `spatialvae.metrics.latent_health` for the definitions."""

    n: int
    """Images."""
    units: int
    """Numbers of a code."""
    kl: float
    """To the model's prior, mean nats per image."""
    kl_per_map: Numbers | None
    """[maps], nats; the sum is `kl`. None in files of earlier versions."""
    kl_per_site: tuple[Numbers, ...]
    """[h][w], nats; the sum is `kl`."""
    active_units: int | float | None
    """Numbers whose posterior mean varies over images, or their mean over seeds; None for one image."""
    active_per_site: tuple[tuple[int | float, ...], ...] | None
    """[h][w], how many maps are active there."""
    row_scale: Numbers | None
    """[h], geometric means; None where the posterior is not matrix or tensor normal, as for the next four."""
    column_scale: Numbers | None
    """[w]."""
    total_scale: float | None
    row_correlation: float | None
    """Of neighbouring rows given the image."""
    column_correlation: float | None
    rank_one_share: Estimate | None
    """Of the mean maps' energy; None for maps of one row or one column, and where all means are 0."""
    aggregate: AggregateSummary
    outside: float | None
    """The share of draws from the prior that lie outside the codes; None for one image."""
    alarms: tuple[str, ...]
    """What is wrong, in sentences."""
