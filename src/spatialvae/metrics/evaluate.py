"""Every metric of a model, in one call."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_

import numpy as np
import torch
from torch import Tensor
from torch.distributions import kl_divergence

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData, ImageSplit
from spatialvae.data.batches import in_order, to_device
from spatialvae.data.pixels import to_float, to_uint8
from spatialvae.data.subset import subset
from spatialvae.elbo import ELBO
from spatialvae.metrics.estimate import ONE_TRAINING, Estimate
from spatialvae.metrics.latent.codes import check_images
from spatialvae.metrics.latent.health import latent_health
from spatialvae.metrics.latent.probe import no_probe, probe
from spatialvae.metrics.likelihood.importance import two_bounds
from spatialvae.metrics.likelihood.prior_gain import prior_gains
from spatialvae.metrics.reconstruction.pairs import PairMetrics
from spatialvae.metrics.result import Evaluation, Measurement, attempt
from spatialvae.metrics.samples.reference import Reference
from spatialvae.metrics.selection import ALL, ON_PAIRS, select
from spatialvae.model import SpatialVAE
from spatialvae.progress import bar
from spatialvae.runtime.allocator import freed_memory_kept
from spatialvae.runtime.evaluating import evaluating
from spatialvae.seeding import seeded

__all__ = ["evaluate"]

BATCH = 250


def evaluate(
    model: SpatialVAE, data: ImageData, config: EvaluationConfig | None = None, *, progress: bool = False
) -> Evaluation:
    """Measure a model on a split of `data`: each metric with its standard error and n.

    `elbo`, `kl`, `reconstruction`: nats per image, one seeded draw each. `bits_per_dim`: of the 8-bit image, an upper
    bound on its code length, -(log-mass - KL) / (D log 2). `nll`: minus the importance-weighted bound of `nll_images`
    images, nats, and `nll_bound`: the bound of the same. `prior_gain`: what the bound gains with each prior as p(z),
    nats. `mse` (pixels in [0, 1]), `psnr` (decibels), `ssim`, `lpips`: of the mean code's reconstruction. `frechet` to
    `coverage`, on features: of the reconstructions and of samples from each prior. `health`: see `latent_health`.
    `probe`: accuracy of a linear classifier on the mean codes.

    Of more images than are wanted it is a `subset` of `seed`, where a smaller one lies in a larger one. A metric that
    fails on these images is noted in `failed`; the others are measured.

    Args:
        config: what is measured, and with what; None for the defaults.

    Raises:
        UserError: images of another shape than the model's, or a metric that wants something that is not there.
    """
    config = config or EvaluationConfig()
    split = data.split(config.split)
    count = check_images(model, split, config.limit)
    reason = no_probe(data, config.split)
    wanted = select(config, no_probe=reason)
    named = config.prior or [model.priors.own, *model.priors]
    priors = list(dict.fromkeys(map(model.priors.resolve, named)))  # one that is not there is told before hours of work
    pairs = PairMetrics(wanted, config, model.device)
    reference = Reference(data, config, count, wanted, progress, model.device)
    provenance = reference.provenance(ONE_TRAINING, pairs.network)
    task = _Task(model, split, count, wanted, config, progress)
    measured = Measurement()
    if reason and data.label_names and config.metrics.strip() in ALL:
        measured = Measurement(warnings=(f"no linear probe: {reason}",))

    with torch.inference_mode(), evaluating(model), freed_memory_kept():
        with seeded(config.seed):
            bound, reconstructions = _one_pass(task, pairs, keep=reference.on_features)
            measured |= bound | pairs.measurement() | _likelihood(task) | _gains(task, priors)
        measured |= _health(task) | _probe(task, data)
        if reference.on_features:
            measured |= reference.measure(reconstructions, "reconstructions")
        if reference.on_features or "parzen" in wanted:
            provenance = replace(provenance, generated=config.generated)
            for prior in priors:
                samples = model.sample(config.generated, seed=config.seed, prior=prior)
                measured |= reference.measure(samples, prior) | reference.parzen(samples, prior)
    return Evaluation.of(measured, provenance)


@dataclass(frozen=True)
class _Task:
    """What every part of an evaluation needs to know."""

    model: SpatialVAE
    split: ImageSplit
    count: int
    wanted: tuple[str, ...]
    config: EvaluationConfig
    progress: bool

    def rows(self, count: int) -> np.ndarray:
        """Where the images of a subset of `count` lie in the split."""
        return subset(len(self.split), count, seed=self.config.seed)


def _one_pass(task: _Task, pairs: PairMetrics, *, keep: bool) -> tuple[Measurement, Tensor]:
    """The bound's terms, and the reconstructions, uint8 [N C H W], if `keep`; `pairs` gets all that it measures."""
    kept: list[Tensor] = []
    parts: dict[str, list[Tensor]] = defaultdict(list)
    if not keep and not set(task.wanted) & {"bound", *ON_PAIRS}:
        return Measurement(), torch.empty(0)
    with bar("metrics", task.count, task.progress) as advance:
        for images in in_order(task.split, BATCH, task.rows(task.count)):
            floats = to_float(to_device(images, task.model.device))
            posterior = task.model.encode_checked(floats)
            values = _bound(task.model, floats, posterior) if "bound" in task.wanted else {}
            decoded = to_uint8(task.model.decode(posterior.mean).mean).cpu()
            pairs.add(images, decoded)
            for name, value in values.items():
                parts[name].append(value.cpu())
            if keep:
                kept.append(decoded)
            advance(len(images))
    bound = reduce(or_, (Measurement.of(name, torch.cat(values)) for name, values in parts.items()), Measurement())
    return bound, torch.cat(kept) if keep else torch.empty(0)


def _bound(model: SpatialVAE, floats: Tensor, posterior: torch.distributions.Distribution) -> dict[str, Tensor]:
    """The terms of the bound by one draw, and the code length that it bounds: [B] each."""
    drawn = model.decode(posterior.sample())
    terms = ELBO(drawn.log_prob(floats), kl_divergence(posterior, model.prior()))
    bits = (terms.kl - drawn.log_mass(floats)) / (floats[0].numel() * math.log(2))
    return {"elbo": terms.bound, "kl": terms.kl, "reconstruction": terms.reconstruction, "bits_per_dim": bits}


def _likelihood(task: _Task) -> Measurement:
    """nll, minus the importance-weighted bound, and the bound of the same images."""
    if "nll" not in task.wanted:
        return Measurement()
    samples, count = task.config.importance_samples, min(task.count, task.config.nll_images)
    parts: list[tuple[Tensor, Tensor]] = []
    with bar(f"nll, {samples} samples", count, task.progress) as advance:
        for images in in_order(task.split, BATCH // 10, task.rows(count)):
            parts.append(two_bounds(task.model, images, samples))
            advance(len(images))
    tight, loose = (torch.cat(values) for values in zip(*parts, strict=True))
    return Measurement.of("nll", -tight) | Measurement.of("nll_bound", loose)


def _gains(task: _Task, priors: list[str]) -> Measurement:
    """What the bound gains with each prior."""
    if "prior_gain" not in task.wanted:
        return Measurement()

    def measured() -> Measurement:
        seed = task.config.seed
        gains = prior_gains(task.model, task.split, task.count, priors, seed=seed, progress=task.progress)
        return reduce(or_, (Measurement.of(f"prior_gain/{name}", one) for name, one in gains.items()), Measurement())

    return attempt([f"prior_gain/{prior}" for prior in priors if prior != task.model.priors.own], measured)


def _health(task: _Task) -> Measurement:
    """The latent's health, and two numbers of it that stand among the metrics."""
    if "health" not in task.wanted:
        return Measurement()

    def measured() -> Measurement:
        health = latent_health(task.model, task.split, limit=task.count, seed=task.config.seed, progress=task.progress)
        metrics: dict[str, Estimate] = {}
        if health.active_units is not None:
            metrics["active_units"] = Estimate(float(health.active_units), None, task.count)
        if health.rank_one_share is not None:
            metrics["rank_one_share"] = health.rank_one_share
        return Measurement(metrics, health=health)

    return attempt(["health"], measured)


def _probe(task: _Task, data: ImageData) -> Measurement:
    """The linear probe, and what its accuracy is to be read against."""
    if "probe" not in task.wanted:
        return Measurement()

    def measured() -> Measurement:
        return Measurement.of("probe", *probe(task.model, data, task.config.split, task.count, seed=task.config.seed))

    return attempt(["probe"], measured)
