"""Every metric of a set of images, such as another model's samples, by the code that measures our own."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData
from spatialvae.data.batches import in_order
from spatialvae.data.image_set import picture_names
from spatialvae.data.pairing import pair
from spatialvae.data.subset import subset
from spatialvae.errors import UserError
from spatialvae.metrics.reconstruction.pairs import PairMetrics
from spatialvae.metrics.result import Evaluation
from spatialvae.metrics.samples.reference import Reference
from spatialvae.metrics.selection import select
from spatialvae.sizes import spell_shape

__all__ = ["evaluate_images"]

BATCH = 250


def evaluate_images(
    images: Tensor,
    data: ImageData,
    config: EvaluationConfig | None = None,
    *,
    paired: bool = False,
    names: list[str] | None = None,
    device: torch.device | None = None,
    progress: bool = False,
) -> Evaluation:
    """Measure a set of images against a split: `frechet` to `coverage`, `parzen`, and of pairs `mse` to `lpips`.

    With `limit` it is against a `subset` of the split, and of pairs those whose original is in it. A metric that fails
    on these images is noted in `failed`; the others are measured.

    Args:
        images: uint8 [N C H W], of the split's shape.
        config: None measures against the whole set where its source names no test split (`ImageData.handed_over`).
        paired: each image is the reconstruction of one of the split, the k-th of the k-th unless there are names.
        names: of the images' files; they are paired with those of the split's, see `spatialvae.data.pairing.pair`.
        device: where networks of features compute; default: the fastest.

    Raises:
        UserError: images of another shape, another number of them than pairs need, or nothing to measure.
    """
    config = config or EvaluationConfig(split=data.handed_over)
    split = data.split(config.split)
    count = min(config.limit or len(split), len(split))
    wanted = select(config, model=False, pairs=paired)
    if not wanted:
        raise UserError("There is nothing to measure: give --features FILE.pt, --metrics parzen, or --paired.")
    _check(images, split.shape)
    pairing = pair(names, picture_names(data, config.split), len(images), len(split)) if paired else None
    pairs = PairMetrics(wanted, config, device)
    reference = Reference(data, config, count, wanted, progress, device)
    provenance = replace(reference.provenance("over images", pairs.network), set=len(images))
    if pairing is not None:
        images, provenance = images[torch.from_numpy(pairing.order)], replace(provenance, paired=pairing.how)
        rows = subset(len(split), count, seed=config.seed)
        for originals, others in zip(in_order(split, BATCH, rows), images[rows].split(BATCH), strict=True):
            pairs.add(originals, others)
    measured = pairs.measurement() | reference.measure(images, "") | reference.parzen(images, "")
    return Evaluation.of(measured, provenance)


def _check(images: Tensor, wanted: tuple[int, ...]) -> None:
    shape = tuple(images.shape[1:])
    if shape != tuple(wanted):
        raise UserError(
            f"The images are {spell_shape(shape)}, those to compare with {spell_shape(wanted)}: "
            f"make them equal with --image-size {shape[1]}x{shape[2]}."
        )
