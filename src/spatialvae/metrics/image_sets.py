"""Every metric of a set of images, such as another model's samples, by the code that measures our own."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData
from spatialvae.data.batches import in_order
from spatialvae.errors import UserError
from spatialvae.metrics.pairs import PairMetrics
from spatialvae.metrics.reference import Reference
from spatialvae.metrics.result import Evaluation
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
    device: torch.device | None = None,
    progress: bool = False,
) -> Evaluation:
    """Measure a set of images against a split: `frechet` to `coverage`, `parzen`, and of pairs `mse` to `lpips`.

    Args:
        images: uint8 [N C H W], of the split's shape.
        paired: the k-th image is the reconstruction of the split's k-th.
        device: where networks of features compute; default: the fastest.

    Raises:
        UserError: images of another shape, another number of them than pairs need, or nothing to measure.
    """
    config = config or EvaluationConfig()
    split = data.split(config.split)
    count = min(config.limit or len(split), len(split))
    wanted = select(config, model=False, pairs=paired)
    if not wanted:
        raise UserError("There is nothing to measure: give --features FILE.pt, --metrics parzen, or --paired.")
    _check(images, split.images.shape[1:], count if paired else None)
    reference = Reference(data, config, count, wanted, progress, device)
    found = Evaluation(provenance={**reference.provenance(), "set": len(images)})
    if paired:
        pairs, parts = PairMetrics(wanted, config, found, device), defaultdict(list)
        for originals, others in zip(in_order(split, BATCH, count), images.split(BATCH), strict=True):
            for name, value in pairs(originals, others).items():
                parts[name].append(value)
        for name, values in parts.items():
            found.add(name, torch.cat(values))
    reference.measure(images, "", found)
    reference.parzen(images, "", found)
    return found


def _check(images: Tensor, wanted: tuple[int, ...], count: int | None) -> None:
    shape = tuple(images.shape[1:])
    if shape != tuple(wanted):
        raise UserError(
            f"The images are {spell_shape(shape)}, those to compare with {spell_shape(wanted)}: "
            f"make them equal with --image-size {shape[1]}x{shape[2]}."
        )
    if count is not None and len(images) != count:
        raise UserError(
            f"--paired wants one image for each of the {count} compared with, in their order; there are {len(images)}."
        )
