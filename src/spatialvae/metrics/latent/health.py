"""The health of a latent: where its information lies, how many numbers are in use, and how its codes are spread."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.data import ImageSplit
from spatialvae.data.subset import subset
from spatialvae.estimate import Estimate
from spatialvae.metrics.latent.aggregate import Aggregate, Moments
from spatialvae.metrics.latent.alarms import alarms
from spatialvae.metrics.latent.codes import check_images, posteriors
from spatialvae.metrics.latent.divergence import divergence_per_map, divergence_per_site
from spatialvae.metrics.latent.gauge import ScaleSums
from spatialvae.metrics.latent.holes import share_outside
from spatialvae.metrics.latent.rank import rank_one_share
from spatialvae.metrics.latent.summary import AggregateSummary, LatentHealth
from spatialvae.metrics.measurement import Measurement
from spatialvae.metrics.subjects import ModelOnSplit
from spatialvae.model import SpatialVAE
from spatialvae.priors import prior_title
from spatialvae.progress import Progress
from spatialvae.runtime.evaluating import evaluating
from spatialvae.seeding import seeded

__all__ = ["latent_health", "measure_health"]

ACTIVE = 0.01
FEWEST_CODES, MOST_CODES = 1000, 2000


def latent_health(
    model: SpatialVAE, split: ImageSplit, *, limit: int | None = None, seed: int = 0, progress: bool = False
) -> LatentHealth:
    """What the codes of a split's images look like.

    - `n` images, `units` numbers of a code, `kl` to the model's prior, mean nats per image; `kl_per_map` [maps] and
      `kl_per_site` [h][w] (see `divergence_per_site`) each sum to it.
    - `active_units`: numbers whose posterior mean has a variance over images above 0.01 (Burda, Grosse and
      Salakhutdinov, 2016), and `active_per_site` [h][w], how many of the maps are active there. None for one image.
    - `row_scale` [h], `column_scale` [w], `total_scale`: geometric means over maps and images of the scales with the
      gauge fixed (see `fixed_gauge`), and `row_correlation`, `column_correlation`, of neighbouring rows and columns
      given the image; None where the posterior is not matrix or tensor normal.
    - `rank_one_share`: an estimate over images of the share of the mean maps' energy in their best rank-1
      approximations (see `rank_one_share`); None for maps of one row or one column, and where all means are 0.
    - `aggregate`: the aggregate posterior (1/n) sum_i q(z|x_i) against the model's prior, each number in units of the
      prior's standard deviation from the prior's mean: `largest_mean`, in absolute value; `smallest_variance`,
      `median_variance`, `largest_variance` over the numbers; `kl_to_prior`, nats, of the Gaussian
      of its mean and covariance; `site_correlation` and `absolute_site_correlation` [h w][h w], means over maps of
      the correlation between sites and of its absolute value (None beyond 144 sites). The covariance is full up to
      4096 numbers, beyond that within maps of up to 144 sites, else diagonal.
    - `outside`: the share of 1,000 draws from that prior that lie outside the codes (see `share_outside`): the Gaussian
      is fitted to every other image, the codes are drawn for the images between. None for one image.
    - `alarms`: what is wrong, in sentences (see `alarms`).

    Streams over the images in float64; memory does not grow with their number.

    Args:
        limit: use a `subset` of so many images only.
        seed: of the subset and the draws; the global generators stay as they were.

    Raises:
        UserError: images of another shape than the model's, none, or codes that are no numbers.

    >>> import numpy as np
    >>> from spatialvae.config import ModelConfig
    >>> split = ImageSplit(np.zeros((4, 1, 8, 8), np.uint8), None)
    >>> model = SpatialVAE.from_config(ModelConfig(latent="vector", image_size=(8, 8), channels=1))
    >>> latent_health(model, split).units
    10
    """
    count = check_images(model, split, limit)
    rows = subset(len(split), count, seed=seed)
    with torch.no_grad(), evaluating(model), seeded(seed), Progress("latent health", count, shown=progress) as work:
        prior = model.prior()
        halves: list[_Sums] = []
        codes: list[Tensor] = []
        for start in range(min(2, count)):
            indices = rows[start::2]
            sums: _Sums | None = None
            for distribution in posteriors(model, split, indices):
                if halves:
                    codes.append(_draws(distribution, sums.moments.n if sums else 0, len(indices)))
                sums = sums + _Sums.of(distribution, prior) if sums else _Sums.of(distribution, prior)
                work.advance(len(distribution.mean))
            assert sums  # there is an image in each half
            halves.append(sums)
        outside = share_outside(halves[0].moments.aggregate(), torch.cat(codes), prior) if codes else None
        return _summary(reduce(add, halves), outside, model)


def measure_health(subject: ModelOnSplit) -> Measurement:
    """The latent's health, and two numbers of it that stand among the metrics."""
    seed, progress = subject.config.seed, subject.progress
    health = latent_health(subject.model, subject.split, limit=subject.count, seed=seed, progress=progress)
    metrics: dict[str, Estimate] = {}
    if health.active_units is not None:
        metrics["active_units"] = Estimate(float(health.active_units), None, subject.count)
    if health.rank_one_share is not None:
        metrics["rank_one_share"] = health.rank_one_share
    return Measurement(metrics, health=health)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over images; those of two sets of images add up."""

    moments: Moments
    per_map: Tensor
    per_site: Tensor
    rank_shares: Tensor
    """Not a sum: one value an image."""
    scales: ScaleSums | None

    @classmethod
    def of(cls, distribution: Distribution, prior: Distribution) -> _Sums:
        per_map = divergence_per_map(distribution, prior)
        return cls(
            Moments.of(distribution),
            per_map.sum(0),
            divergence_per_site(distribution, prior, per_map).sum((0, 1)),
            rank_one_share(distribution.mean),
            ScaleSums.of(distribution),
        )

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.moments + other.moments,
            self.per_map + other.per_map,
            self.per_site + other.per_site,
            torch.cat([self.rank_shares, other.rank_shares]),
            self.scales + other.scales if self.scales and other.scales else None,
        )


def _draws(distribution: Distribution, seen: int, images: int) -> Tensor:
    """Codes of a batch's images, [k, numbers]: in all, 1,000 to 2,000 codes of images spread evenly over `images`."""
    step = -(-images // MOST_CODES)
    repeats = -(-FEWEST_CODES // images)
    codes = distribution.sample(torch.Size([repeats])).flatten(2).cpu()
    return codes[:, -seen % step :: step].flatten(0, 1)


def _summary(sums: _Sums, outside: float | None, model: SpatialVAE) -> LatentHealth:
    """The sums as what `latent_health` gives."""
    moments, scales = sums.moments, sums.scales.means() if sums.scales else None
    variance = moments.variance_of_means()
    active = None if variance is None else variance > ACTIVE
    has_rank = min(moments.event_shape[1:]) > 1 and len(sums.rank_shares) > 0
    aggregate = _against_prior(moments.aggregate(), model)
    kl, units = sums.per_map.sum().item() / moments.n, moments.mean.numel()
    count = None if active is None else int(active.sum())
    return LatentHealth(
        n=moments.n,
        units=units,
        kl=kl,
        kl_per_map=tuple((sums.per_map / moments.n).tolist()),
        kl_per_site=_rows(sums.per_site / moments.n),
        active_units=count,
        active_per_site=None if active is None else tuple(map(tuple, active.sum(0).tolist())),
        row_scale=scales.row if scales else None,
        column_scale=scales.column if scales else None,
        total_scale=scales.total if scales else None,
        row_correlation=scales.row_correlation if scales else None,
        column_correlation=scales.column_correlation if scales else None,
        rank_one_share=Estimate.of(sums.rank_shares) if has_rank else None,
        aggregate=aggregate,
        outside=outside,
        alarms=alarms(
            n=moments.n,
            units=units,
            kl=kl,
            active=count,
            outside=outside,
            median_variance=aggregate.median_variance,
            prior=prior_title(model.priors.own),
            autoregressive=model.likelihood.autoregressive,
        ),
    )


def _against_prior(aggregate: Aggregate, model: SpatialVAE) -> AggregateSummary:
    prior, correlation = model.prior(), aggregate.site_correlation()
    centre, scale = (part.flatten().cpu().double() for part in (prior.mean, prior.stddev))
    variance = aggregate.variance / scale.square()
    own = model.priors.own != "standard"
    return AggregateSummary(
        largest_mean=((aggregate.mean.flatten() - centre) / scale).abs().max().item(),
        smallest_variance=variance.min().item(),
        median_variance=variance.quantile(0.5).item(),
        largest_variance=variance.max().item(),
        kl_to_prior=aggregate.divergence_from(prior) if own else aggregate.divergence_from_standard(),
        site_correlation=None if correlation is None else _rows(correlation.mean(0)),
        absolute_site_correlation=None if correlation is None else _rows(correlation.abs().mean(0)),
    )


def _rows(matrix: Tensor) -> tuple[tuple[float, ...], ...]:
    """A matrix as rows of numbers."""
    return tuple(map(tuple, matrix.tolist()))
