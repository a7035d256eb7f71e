"""All metrics of a model on a split, in one pass over its images."""

from __future__ import annotations

import math
from collections import defaultdict

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor
from torch.distributions import kl_divergence

from spatialvae.data import ImageSplit
from spatialvae.data.batches import in_order
from spatialvae.data.pixels import to_float, to_uint8
from spatialvae.elbo import ELBO
from spatialvae.errors import UserError
from spatialvae.metrics.estimate import Estimate
from spatialvae.metrics.importance import importance_weighted_bound
from spatialvae.metrics.pictures import mean_squared_error, peak_signal_to_noise, structural_similarity
from spatialvae.model import SpatialVAE, evaluating
from spatialvae.seeding import seeded

__all__ = ["evaluate"]

BATCH = 250


def evaluate(
    model: SpatialVAE,
    split: ImageSplit,
    *,
    importance_samples: int = 64,
    nll_images: int = 1000,
    limit: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Estimate]:
    """Every metric with its standard error over images and n.

    `elbo`, `kl`, `reconstruction`: nats per image, one seeded draw each. `bits_per_dim`: of the 8-bit image, an upper
    bound on its code length, -(log-mass - KL) / (D log 2). `nll`: minus the importance-weighted bound, nats, on the
    first `nll_images` images. `mse` (pixels in [0, 1]), `psnr` (decibels), `ssim`: of the mean code's reconstruction.

    Args:
        importance_samples: K of `nll`; 0 leaves `nll` out.
        limit: use the first `limit` images only.

    Raises:
        UserError: images of another shape than the model's, or none.
    """
    shape, wanted = split.images.shape[1:], (model.config.channels, *model.config.image_size)
    if tuple(shape) != wanted:
        raise UserError(
            f"The images are {_spell(shape)}; this model was trained on {_spell(wanted)}: use --image-size."
        )
    count = min(limit or len(split), len(split))
    if count < 1:
        raise UserError("The split holds no images: choose another with --split.")
    values: dict[str, list[Tensor]] = defaultdict(list)
    bar = Progress(console=Console(stderr=True), disable=not progress)
    with torch.no_grad(), evaluating(model), seeded(seed), bar:
        task = bar.add_task("metrics", total=count)
        for images in in_order(split, BATCH, count):
            for name, value in _one_pass(model, images).items():
                values[name].append(value)
            bar.advance(task, len(images))
        if importance_samples:
            some = min(count, nll_images)
            task = bar.add_task(f"nll, {importance_samples} samples", total=some)
            for images in in_order(split, BATCH // 10, some):
                values["nll"].append(-importance_weighted_bound(model, images, importance_samples).cpu())
                bar.advance(task, len(images))
    return {name: Estimate.of(torch.cat(parts)) for name, parts in values.items()}


def _one_pass(model: SpatialVAE, images: Tensor) -> dict[str, Tensor]:
    """One value an image of every metric but nll."""
    floats = to_float(images.to(model.device))
    posterior = model.encode(floats)
    drawn = model.decode(posterior.sample())
    terms = ELBO(drawn.log_prob(floats), kl_divergence(posterior, model.prior()))
    decoded = to_uint8(model.decode(posterior.mean).mean).cpu()
    values = {
        "elbo": terms.bound,
        "kl": terms.kl,
        "reconstruction": terms.reconstruction,
        "bits_per_dim": (terms.kl - drawn.log_mass(floats)) / (floats[0].numel() * math.log(2)),
        "mse": mean_squared_error(images, decoded),
        "psnr": peak_signal_to_noise(images, decoded),
        "ssim": structural_similarity(images, decoded),
    }
    return {name: value.cpu() for name, value in values.items()}


def _spell(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[2]} with {shape[0]} channel{'s' if shape[0] > 1 else ''}"
