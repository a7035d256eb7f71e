"""Every metric of a model, in one call."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData, ImageSplit
from spatialvae.data.batches import in_order, to_device
from spatialvae.data.pixels import to_float, to_uint8
from spatialvae.elbo import ELBO
from spatialvae.heap import freed_memory_kept
from spatialvae.metrics.codes import check_images
from spatialvae.metrics.estimate import Estimate
from spatialvae.metrics.health import latent_health
from spatialvae.metrics.importance import importance_weighted_bound
from spatialvae.metrics.pairs import PairMetrics
from spatialvae.metrics.prior_gain import prior_gains
from spatialvae.metrics.probe import probe
from spatialvae.metrics.reference import Reference
from spatialvae.metrics.result import Evaluation
from spatialvae.metrics.selection import ON_PAIRS, select
from spatialvae.model import SpatialVAE, evaluating
from spatialvae.progress import bar
from spatialvae.seeding import seeded

__all__ = ["evaluate"]

BATCH = 250


def evaluate(
    model: SpatialVAE, data: ImageData, config: EvaluationConfig | None = None, *, progress: bool = False
) -> Evaluation:
    """Measure a model on a split of `data`: each metric with its standard error and n.

    `elbo`, `kl`, `reconstruction`: nats per image, one seeded draw each. `bits_per_dim`: of the 8-bit image, an upper
    bound on its code length, -(log-mass - KL) / (D log 2). `nll`: minus the importance-weighted bound, nats, on the
    first `nll_images` images. `prior_gain`: what the bound gains with each prior as p(z), nats. `mse` (pixels in
    [0, 1]), `psnr` (decibels), `ssim`, `lpips`: of the mean code's reconstruction. `frechet` to `coverage`, on
    features: of the reconstructions and of samples from each prior. `health`: see `latent_health`. `probe`: accuracy of
    a linear classifier on the mean codes.

    Args:
        config: what is measured, and with what; None for the defaults.

    Raises:
        UserError: images of another shape than the model's, or a metric that wants something that is not there.
    """
    config = config or EvaluationConfig()
    split = data.split(config.split)
    count = check_images(model, split, config.limit)
    labels = split.labels is not None and data.split("train").labels is not None
    wanted = select(config, labels=labels)
    named = config.prior or [model.own_prior, *model.priors]
    priors = list(dict.fromkeys(map(model.prior_name, named)))  # one that is not there is told before hours of work
    reference = Reference(data, config, count, wanted, progress, model.device)
    found = Evaluation(provenance=reference.provenance())
    task = _Task(model, split, count, wanted, config, found, progress)

    with torch.inference_mode(), evaluating(model), freed_memory_kept():
        with seeded(config.seed):
            reconstructions = _one_pass(task, keep=reference.on_features)
            _likelihood(task)
            if "prior_gain" in wanted:
                for prior, values in prior_gains(model, split, count, priors, progress=progress).items():
                    found.add(f"prior_gain/{prior}", values)
        if "health" in wanted:
            found.health = latent_health(model, split, limit=count, seed=config.seed, progress=progress)
            _summaries(found, count)
        if "probe" in wanted:
            correct, found.provenance["probe"] = probe(model, data, config.split, count)
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


def _one_pass(task: _Task, *, keep: bool) -> Tensor:
    """The bound's terms and the reconstructions' metrics; returns the reconstructions, uint8 [N C H W], if `keep`."""
    kept: list[Tensor] = []
    parts: dict[str, list[Tensor]] = defaultdict(list)
    pairs = PairMetrics(task.wanted, task.config, task.found, task.model.device)
    if not keep and not set(task.wanted) & {"bound", *ON_PAIRS}:
        return torch.empty(0)
    with bar("metrics", task.count, task.progress) as advance:
        for images in in_order(task.split, BATCH, task.count):
            floats = to_float(to_device(images, task.model.device))
            posterior = task.model.encode(floats)
            values = _bound(task.model, floats, posterior) if "bound" in task.wanted else {}
            decoded = to_uint8(task.model.decode(posterior.mean).mean).cpu()
            for name, value in {**values, **pairs(images, decoded)}.items():
                parts[name].append(value.cpu())
            if keep:
                kept.append(decoded)
            advance(len(images))
    for name, values in parts.items():
        task.found.add(name, torch.cat(values))
    return torch.cat(kept) if keep else torch.empty(0)


def _bound(model: SpatialVAE, floats: Tensor, posterior: torch.distributions.Distribution) -> dict[str, Tensor]:
    """The terms of the bound by one draw, and the code length that it bounds: [B] each."""
    drawn = model.decode(posterior.sample())
    terms = ELBO(drawn.log_prob(floats), kl_divergence(posterior, model.prior()))
    bits = (terms.kl - drawn.log_mass(floats)) / (floats[0].numel() * math.log(2))
    return {"elbo": terms.bound, "kl": terms.kl, "reconstruction": terms.reconstruction, "bits_per_dim": bits}


def _likelihood(task: _Task) -> None:
    """nll, minus the importance-weighted bound of the first images."""
    if "nll" not in task.wanted:
        return
    samples, count = task.config.importance_samples, min(task.count, task.config.nll_images)
    parts = []
    with bar(f"nll, {samples} samples", count, task.progress) as advance:
        for images in in_order(task.split, BATCH // 10, count):
            parts.append(-importance_weighted_bound(task.model, images, samples).cpu())
            advance(len(images))
    task.found.add("nll", torch.cat(parts))


def _summaries(found: Evaluation, count: int) -> None:
    """Two numbers of the latent's health that stand among the metrics."""
    health = found.health or {}
    if health.get("active_units") is not None:
        found.estimates["active_units"] = Estimate(float(health["active_units"]), None, count)
    if health.get("rank_one_share") is not None:
        found.estimates["rank_one_share"] = Estimate(**health["rank_one_share"])
