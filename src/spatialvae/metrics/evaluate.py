"""Every metric of a model, in one call."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

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
from spatialvae.metrics.result import Evaluation
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
    found = Evaluation()
    pairs = PairMetrics(wanted, config, found, model.device)
    reference = Reference(data, config, count, wanted, progress, model.device)
    found.provenance = {**reference.provenance(), **found.provenance, "intervals": ONE_TRAINING}
    if reason and data.label_names and config.metrics.strip() in ALL:
        found.warnings.append(f"no linear probe: {reason}")
    task = _Task(model, split, count, wanted, config, found, progress)

    with torch.inference_mode(), evaluating(model), freed_memory_kept():
        with seeded(config.seed):
            reconstructions = _one_pass(task, pairs, keep=reference.on_features)
            _likelihood(task)
            if "prior_gain" in wanted:
                _gains(task, priors)
        if "health" in wanted:
            with found.attempt("health"):
                found.health = latent_health(model, split, limit=count, seed=config.seed, progress=progress)
                _summaries(found, count)
        if "probe" in wanted:
            with found.attempt("probe"):
                correct, found.provenance["probe"] = probe(model, data, config.split, count, seed=config.seed)
                found.add("probe", correct)
        if reference.on_features:
            reference.measure(reconstructions, "reconstructions", found)
        if reference.on_features or "parzen" in wanted:
            found.provenance["generated"] = config.generated
            for prior in priors:
                samples = model.sample(config.generated, seed=config.seed, prior=prior)
                reference.measure(samples, prior, found)
                reference.parzen(samples, prior, found)
    return found


@dataclass(frozen=True)
class _Task:
    """What every part of an evaluation needs to know."""

    model: SpatialVAE
    split: ImageSplit
    count: int
    wanted: tuple[str, ...]
    config: EvaluationConfig
    found: Evaluation
    progress: bool

    def rows(self, count: int) -> np.ndarray:
        """Where the images of a subset of `count` lie in the split."""
        return subset(len(self.split), count, seed=self.config.seed)


def _one_pass(task: _Task, pairs: PairMetrics, *, keep: bool) -> Tensor:
    """The bound's terms and the reconstructions' metrics; returns the reconstructions, uint8 [N C H W], if `keep`."""
    kept: list[Tensor] = []
    parts: dict[str, list[Tensor]] = defaultdict(list)
    if not keep and not set(task.wanted) & {"bound", *ON_PAIRS}:
        return torch.empty(0)
    with bar("metrics", task.count, task.progress) as advance:
        for images in in_order(task.split, BATCH, task.rows(task.count)):
            floats = to_float(to_device(images, task.model.device))
            posterior = task.model.encode_checked(floats)
            values = _bound(task.model, floats, posterior) if "bound" in task.wanted else {}
            decoded = to_uint8(task.model.decode(posterior.mean).mean).cpu()
            for name, value in {**values, **pairs(images, decoded)}.items():
                parts[name].append(value.cpu())
            if keep:
                kept.append(decoded)
            advance(len(images))
    for name, values in parts.items():
        if name not in task.found.failed:  # it may have on a later batch
            task.found.add(name, torch.cat(values))
    return torch.cat(kept) if keep else torch.empty(0)


def _bound(model: SpatialVAE, floats: Tensor, posterior: torch.distributions.Distribution) -> dict[str, Tensor]:
    """The terms of the bound by one draw, and the code length that it bounds: [B] each."""
    drawn = model.decode(posterior.sample())
    terms = ELBO(drawn.log_prob(floats), kl_divergence(posterior, model.prior()))
    bits = (terms.kl - drawn.log_mass(floats)) / (floats[0].numel() * math.log(2))
    return {"elbo": terms.bound, "kl": terms.kl, "reconstruction": terms.reconstruction, "bits_per_dim": bits}


def _likelihood(task: _Task) -> None:
    """nll, minus the importance-weighted bound, and the bound of the same images."""
    if "nll" not in task.wanted:
        return
    samples, count = task.config.importance_samples, min(task.count, task.config.nll_images)
    parts: list[tuple[Tensor, Tensor]] = []
    with bar(f"nll, {samples} samples", count, task.progress) as advance:
        for images in in_order(task.split, BATCH // 10, task.rows(count)):
            parts.append(two_bounds(task.model, images, samples))
            advance(len(images))
    tight, loose = (torch.cat(values) for values in zip(*parts, strict=True))
    task.found.add("nll", -tight)
    task.found.add("nll_bound", loose)


def _gains(task: _Task, priors: list[str]) -> None:
    """What the bound gains with each prior."""
    with task.found.attempt(*(f"prior_gain/{prior}" for prior in priors if prior != task.model.priors.own)):
        seed = task.config.seed
        gains = prior_gains(task.model, task.split, task.count, priors, seed=seed, progress=task.progress)
        for prior, values in gains.items():
            task.found.add(f"prior_gain/{prior}", values)


def _summaries(found: Evaluation, count: int) -> None:
    """Two numbers of the latent's health that stand among the metrics."""
    health = found.health or {}
    if health.get("active_units") is not None:
        found.estimates["active_units"] = Estimate(float(health["active_units"]), None, count)
    if health.get("rank_one_share") is not None:
        found.estimates["rank_one_share"] = Estimate(**health["rank_one_share"])
