"""The posteriors q(z|x) of a split's images, batch after batch."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.data import ImageSplit
from spatialvae.data.batches import to_device
from spatialvae.errors import UserError
from spatialvae.model import SpatialVAE
from spatialvae.runtime.evaluating import evaluating
from spatialvae.sizes import spell_shape

__all__ = ["check_images", "mean_codes", "posteriors"]

BATCH = 250


def check_images(model: SpatialVAE, split: ImageSplit, limit: int | None) -> int:
    """How many images are used: `limit` of the split, or all.

    Raises:
        UserError: images of another shape than the model's, none at all, or a limit below 1.
    """
    shape, wanted = split.shape, (model.config.channels, *model.config.image_size)
    if shape != wanted:
        raise UserError(
            f"The images are {spell_shape(shape)}; this model was trained on {spell_shape(wanted)}: "
            "prepare the images with `image_size`."
        )
    if limit is not None and limit < 1:
        raise UserError(f"`limit` {limit} is not possible: use at least 1 image.")
    if not len(split):
        raise UserError("The split holds no images: choose another with `split`.")
    return len(split) if limit is None else min(limit, len(split))


def posteriors(model: SpatialVAE, split: ImageSplit, indices: npt.NDArray[np.integer]) -> Iterator[Distribution]:
    """q(z|x) of the images at `indices`, in that order: batches of up to 250, events [maps, height, width].

    The caller decides about gradients and the model's mode.

    Raises:
        UserError: means that are no numbers or variances that are not positive, as after a training that diverged.
    """
    for start in range(0, len(indices), BATCH):
        images = torch.from_numpy(split.take(indices[start : start + BATCH]))
        distribution = model.encode(to_device(images, model.device))
        variance = distribution.variance
        if not (torch.isfinite(distribution.mean).all() and torch.isfinite(variance).all() and (variance > 0).all()):
            raise UserError(
                "The codes of these images are not all numbers with a positive spread: the training has diverged. "
                "Train again with a smaller `learning_rate`, or with `clip`."
            )
        yield distribution


def mean_codes(model: SpatialVAE, split: ImageSplit, indices: npt.NDArray[np.integer]) -> Tensor:
    """The means of q(z|x) as rows of numbers, [n, maps * height * width], on the CPU; dropout is off."""
    with torch.no_grad(), evaluating(model):
        parts = [distribution.mean.flatten(1).cpu() for distribution in posteriors(model, split, indices)]
    return torch.cat(parts) if parts else torch.empty(0, prod(model.latent.event_shape))
