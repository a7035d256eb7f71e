"""Every metric of a set of images, such as another model's samples, by the code that measures our own."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData
from spatialvae.data.anything import as_image_data
from spatialvae.data.batches import in_order
from spatialvae.data.dataset import WHOLE
from spatialvae.data.image_set import picture_names
from spatialvae.data.pairing import pair
from spatialvae.data.subset import subset
from spatialvae.errors import UserError
from spatialvae.metrics.image_values import ImageValues
from spatialvae.metrics.open_target import as_one_split, merge_settings
from spatialvae.metrics.result import Evaluation
from spatialvae.metrics.samples.reference import Reference
from spatialvae.metrics.selection import refuse_unread, select
from spatialvae.sizes import spell_shape

__all__ = ["evaluate_images"]

BATCH = 250


def evaluate_images(
    images: object,
    reference: object,
    config: EvaluationConfig | None = None,
    *,
    paired: bool = False,
    names: list[str] | None = None,
    device: torch.device | None = None,
    progress: bool = False,
    **settings: object,
) -> Evaluation:
    """Measure a set of images against others: `frechet` to `coverage`, `parzen`, and of pairs `mse` to `lpips`.

    With `limit` it is against a `subset` of the reference, and of pairs those whose original is in it. A metric that
    fails on these images is noted in `failed`; the others are measured.

    >>> import numpy as np
    >>> grey = np.full((20, 8, 8), 100, np.uint8)
    >>> round(evaluate_images(grey, grey + 51, paired=True, metrics="mse").metrics["mse"].value, 4)
    0.04

    Args:
        images: anything that `as_image_data` takes; a tensor uint8 [N C H W] is taken as it is.
        reference: anything that `as_image_data` takes: the real images.
        config: what is measured, and with what. Without a `split` it is against the whole reference where that names
            no test split (`ImageData.handed_over`).
        paired: each image is the reconstruction of one of the reference, the k-th of the k-th unless there are names.
        names: of the images' files; they are paired with those of the reference, see `spatialvae.data.pairing.pair`.
        device: where networks of features compute; the fastest by default.
        progress: show bars on stderr.
        **settings: fields of `EvaluationConfig`, such as `metrics="frechet"` or `features="network.pt"`.

    Raises:
        UserError: images of another shape, another number of them than pairs need, or nothing to measure.
    """
    data = reference if isinstance(reference, ImageData) else as_image_data(as_one_split(reference), progress=progress)
    images = _pixels(images, progress)
    config = merge_settings(config, settings)
    if config is None or "split" not in config.model_fields_set:
        config = merge_settings(config, {"split": data.handed_over}) or EvaluationConfig()
    split = data.split(config.split)
    count = min(config.limit or len(split), len(split))
    wanted = select(config, model=False, pairs=paired)
    if not wanted:
        raise UserError("There is nothing to measure: give `features` FILE.pt, `metrics` parzen, or `paired`.")
    refuse_unread(config, wanted, model=False)
    _check(images, split.shape)
    pairing = pair(names, picture_names(data, config.split), len(images), len(split)) if paired else None
    values = ImageValues(wanted, config, device)
    sets = Reference(data, config, count, wanted, progress, device)
    provenance = replace(sets.provenance("over images", values.network), set=len(images))
    if pairing is not None:
        images, provenance = images[torch.from_numpy(pairing.order)], replace(provenance, paired=pairing.how)
        rows = subset(len(split), count, seed=config.seed)
        for originals, others in zip(in_order(split, BATCH, rows), images[rows].split(BATCH), strict=True):
            values.add_pairs(originals, others)
    measured = values.measurement() | sets.on_features(images, "") | sets.on_images(images, "")
    return Evaluation.of(measured, provenance)


def _pixels(images: object, progress: bool) -> Tensor:
    """uint8 [N C H W]."""
    if isinstance(images, Tensor) and images.dtype == torch.uint8 and images.ndim == 4:
        return images
    split = as_image_data(as_one_split(images), progress=progress).split(WHOLE)
    return torch.cat([torch.empty(0, *split.shape, dtype=torch.uint8), *in_order(split, BATCH)])


def _check(images: Tensor, wanted: tuple[int, ...]) -> None:
    shape = tuple(images.shape[1:])
    if shape != tuple(wanted):
        raise UserError(
            f"The images are {spell_shape(shape)}, those to compare with {spell_shape(wanted)}: "
            f"make them equal with `image_size` {shape[1]}x{shape[2]}."
        )
