"""The importance-weighted bound on the log-likelihood (Burda, Grosse and Salakhutdinov, 2016)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.data.batches import in_order, to_device
from spatialvae.data.pixels import to_float
from spatialvae.metrics.measurement import Measurement
from spatialvae.metrics.subjects import ModelOnSplit
from spatialvae.model import SpatialVAE
from spatialvae.progress import Progress

__all__ = ["importance_weighted_bound", "negative_log_likelihood", "two_bounds"]

BATCH = 25
DECODED_AT_ONCE = 500


@torch.no_grad()
def importance_weighted_bound(model: SpatialVAE, images: Tensor, samples: int) -> Tensor:
    """A lower bound on log p(x) that tightens with the number of samples K, nats per image, [B].

        log (1/K) sum_k p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)

    K = 1 is a draw of the ELBO. Decodes at most 500 codes at a time, so memory does not grow with B or K.
    """
    return two_bounds(model, images, samples)[0]


@torch.no_grad()
def two_bounds(model: SpatialVAE, images: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """That bound, and from the same draws the ELBO, which is never above it: nats per image, [B] each.

        (1/K) sum_k log p(x|z_k) p(z_k) / q(z_k|x) <= log (1/K) sum_k p(x|z_k) p(z_k) / q(z_k|x)

    by Jensen's inequality, image by image and whatever the draws.
    """
    floats = to_float(to_device(images, model.device))
    rows = max(1, DECODED_AT_ONCE // samples)
    tight, loose = zip(*(_bounds(model, part, samples) for part in floats.split(rows)), strict=True)
    return torch.cat(tight), torch.cat(loose)


def negative_log_likelihood(subject: ModelOnSplit) -> Measurement:
    """Minus the importance-weighted bound of a subset of the images, and `nll_bound`, the ELBO of the same."""
    samples, count = subject.config.importance_samples, min(subject.count, subject.config.nll_images)
    parts: list[tuple[Tensor, Tensor]] = []
    with Progress(f"nll, {samples} samples", count, shown=subject.progress) as work:
        for images in in_order(subject.split, BATCH, subject.rows(count)):
            parts.append(two_bounds(subject.model, images, samples))
            work.advance(len(images))
    tight, loose = (torch.cat(values) for values in zip(*parts, strict=True))
    return Measurement.of("nll", -tight) | Measurement.of("nll_bound", loose)


def _bounds(model: SpatialVAE, images: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    posterior, prior = model.encode_checked(images), model.prior()
    parts = []
    for start in range(0, samples, DECODED_AT_ONCE):
        parts.append(_log_weights(model, images, posterior, prior, min(DECODED_AT_ONCE, samples - start)))
    log_weights = torch.cat(parts)
    return log_weights.logsumexp(0) - math.log(samples), log_weights.mean(0)


def _log_weights(model: SpatialVAE, images: Tensor, posterior: Distribution, prior: Distribution, count: int) -> Tensor:
    """log p(x|z) + log p(z) - log q(z|x) for `count` draws an image, [count, B]."""
    codes = posterior.sample(torch.Size([count]))
    pixels = model.decode(codes.flatten(0, 1))
    likelihood = pixels.log_prob(images.repeat(count, 1, 1, 1)).unflatten(0, (count, len(images)))
    return likelihood + prior.log_prob(codes) - posterior.log_prob(codes)
