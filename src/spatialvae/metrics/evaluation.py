"""Every metric of a model, in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData
from spatialvae.data.batches import in_order, to_device
from spatialvae.data.pixels import to_float, to_uint8
from spatialvae.errors import UserError
from spatialvae.estimate import ONE_TRAINING
from spatialvae.metrics.base import RECONSTRUCTIONS, AbstractMetric, AbstractModelMetric
from spatialvae.metrics.image_values import ImageValues
from spatialvae.metrics.latent.codes import check_images
from spatialvae.metrics.latent.probe import no_probe
from spatialvae.metrics.measurement import Measurement, attempt, failures_of, reason
from spatialvae.metrics.open_target import Images, TrainedRun, merge_settings, open_images, open_model
from spatialvae.metrics.reconstruction.linear import no_training
from spatialvae.metrics.result import Evaluation
from spatialvae.metrics.samples.reference import Reference
from spatialvae.metrics.selection import ALL, check_count, refuse_unread, select
from spatialvae.metrics.subjects import ModelOnSplit
from spatialvae.model import SpatialVAE
from spatialvae.progress import Progress
from spatialvae.rounding import full_float32
from spatialvae.runtime.allocator import freed_memory_kept
from spatialvae.runtime.evaluating import evaluating
from spatialvae.seeding import seeded

__all__ = ["evaluate"]

BATCH = 250


def evaluate(
    target: SpatialVAE | TrainedRun | str | os.PathLike[str],
    images: Images | None = None,
    config: EvaluationConfig | None = None,
    *,
    progress: bool = False,
    **settings: object,
) -> Evaluation:
    """Measure a model on images: each metric with its standard error and n.

    `elbo`, `kl`, `reconstruction`: nats per image, one seeded draw each. `bits_per_dim`: of the 8-bit image, an upper
    bound on its code length, -(log-mass - KL) / (D log 2). `nll`: minus the importance-weighted bound of `nll_images`
    images, nats, and `nll_bound`: the bound of the same. `prior_gain`: what the bound gains with each prior as p(z),
    nats. `mse` (pixels in [0, 1]), `psnr` (decibels), `ssim`, `lpips`: of the mean code's reconstruction. `frechet` to
    `coverage`, on features: of the reconstructions and of samples from each prior. `health`: see `latent_health`.
    `probe`: accuracy of a linear classifier on the mean codes. `METRICS` is the table of them.

    Where fewer images are wanted than there are, they are a `subset` of `seed`; a smaller one lies in a larger one. A
    metric that fails on these images is noted in `failed`; the others are measured.

    >>> import numpy as np
    >>> from spatialvae.config import ModelConfig
    >>> model = SpatialVAE.from_config(ModelConfig(latent="vector", image_size=(8, 8), channels=1))
    >>> evaluate(model, np.zeros((20, 8, 8), np.uint8), metrics=["mse"]).metrics["mse"].n
    20

    Args:
        target: a model, a run's folder, or a finished run.
        images: anything that `as_image_data` takes; by default, the images that the run was trained on. Of those that
            name no test split, all are measured; `ImageData` is measured on its test split.
        config: what is measured, and with what; None for the defaults.
        progress: show bars on stderr.
        **settings: fields of `EvaluationConfig`, such as `metrics="bound,mse"`, `split` or `limit`; `metrics` may be a
            list too, of texts or of objects of registered classes.

    Raises:
        UserError: no images, images of another shape than the model's, a setting that does not exist, or a metric that
            needs something that is not there.
    """
    model, folder = open_model(target)
    data = open_images(images, folder, model, progress=progress)
    config = merge_settings(config, settings)
    handed_over = images is not None and not isinstance(images, ImageData)
    if handed_over and (config is None or "split" not in config.model_fields_set):
        config = merge_settings(config, {"split": data.handed_over})
    return _evaluate(model, data, config or EvaluationConfig(), progress=progress)


def _evaluate(model: SpatialVAE, data: ImageData, config: EvaluationConfig, *, progress: bool) -> Evaluation:
    split = data.split(config.split)
    count = check_images(model, split, config.limit)
    reason = no_probe(data, config.split)
    wanted = select(config, no_probe=reason, no_training=no_training(data))
    refuse_unread(config, wanted)
    check_count(wanted, count)
    named = config.prior or [model.priors.own, *model.priors]
    priors = tuple(dict.fromkeys(map(model.priors.resolve, named)))  # an unknown one raises before hours of work
    solvers = {name: _solver(model, name, config) for name in priors}
    _refuse_unsolved(solvers, config)
    values = ImageValues(wanted, config, model.device)
    reference = Reference(data, config, count, wanted, progress, model.device)
    provenance = reference.provenance(ONE_TRAINING, values.network)
    subject = ModelOnSplit("", model, data, split, count, priors, config, progress)
    measured = Measurement()
    if reason and data.label_names and config.metrics.strip() in ALL:
        measured = Measurement(warnings=(f"no linear probe: {reason}",))

    with torch.inference_mode(), evaluating(model), full_float32(), freed_memory_kept(), seeded(config.seed):
        reconstructions = _one_pass(subject, values, keep=reference.wants_features)
        measured |= values.measurement() | _of_model(subject, wanted)
        if reference.wants_features:
            measured |= reference.on_features(reconstructions, RECONSTRUCTIONS)
        if reference.wants_features or reference.wants_images:
            provenance = replace(provenance, generated=config.generated, steps=config.steps, guidance=config.guidance)
            for prior in priors:
                samples = model.sample(config.generated, seed=config.seed, prior=prior, **solvers[prior])
                measured |= reference.on_features(samples, prior) | reference.on_images(samples, prior)
    return Evaluation.of(measured, provenance)


def _solver(model: SpatialVAE, name: str, config: EvaluationConfig) -> dict[str, Any]:
    """What of the settings the draws of a prior take."""
    prior, solver = model.priors.get(name), dict[str, Any]()
    if prior is None or not prior.takes_steps:
        return solver
    if config.steps is not None:
        solver["steps"] = config.steps
    if config.guidance is not None and prior.labels:
        solver["guidance"] = config.guidance
    return solver


def _refuse_unsolved(solvers: Mapping[str, dict[str, Any]], config: EvaluationConfig) -> None:
    """Refuse settings that the draws of no prior take."""
    for name, whom in (("steps", "flow-matching priors"), ("guidance", "flow-matching priors with labels")):
        value = getattr(config, name)
        if value is not None and not any(name in solver for solver in solvers.values()):
            raise UserError(
                f"`{name}` {value:g} is for draws from {whom}, and none of {', '.join(solvers)} is one: leave it out."
            )


def _one_pass(subject: ModelOnSplit, values: ImageValues, *, keep: bool) -> Tensor:
    """Add every image to `values`; returns the reconstructions, uint8 [N C H W], if `keep`."""
    model, kept = subject.model, [torch.empty(0, dtype=torch.uint8)]
    if not keep and not len(values):
        return kept[0]
    with Progress("metrics", subject.count, shown=subject.progress) as work:
        for images in in_order(subject.split, BATCH, subject.rows(subject.count)):
            floats = to_float(to_device(images, model.device))
            posterior = model.encode_checked(floats)
            values.add_codes(model, floats, posterior)
            decoded = to_uint8(model.decode(posterior.mean).mean).cpu()
            values.add_pairs(images, decoded)
            if keep:
                kept.append(decoded)
            work.advance(len(images))
    return torch.cat(kept[1:]) if keep else kept[0]


def _of_model(subject: ModelOnSplit, wanted: Mapping[str, AbstractMetric]) -> Measurement:
    """The metrics of the model as a whole."""
    measured = Measurement()
    for key, metric in wanted.items():
        if isinstance(metric, AbstractModelMetric):
            own, failures = replace(subject, key=key), failures_of(metric)
            try:
                keys = metric.keys(own)
            except failures as failure:
                measured |= Measurement(failed={key: reason(failure)})
                continue
            measured |= attempt(keys, lambda metric=metric, own=own: metric.measure(own), failures)
    return measured
