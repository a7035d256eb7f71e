"""What is measured and drawn on the way: the same terms of the same objective, on images held out."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from spatialvae.data import ImageSplit
from spatialvae.data.batches import in_order, some_images, to_device
from spatialvae.data.subset import subset
from spatialvae.model import SpatialVAE
from spatialvae.picture_grid import grid, pairs_grid, save_picture
from spatialvae.rounding import full_float32
from spatialvae.runtime.evaluating import evaluating
from spatialvae.seeding import seeded

__all__ = ["draw_grids", "validate"]

LIMIT = 2000
BATCH = 250
DRAWN = 32


@torch.inference_mode()
def validate(model: SpatialVAE, split: ImageSplit, *, seed: int) -> dict[str, float]:
    """Mean terms of the bound (nats per image) over 2,000 validation images, by one seeded draw each.

    Of more images it is the `subset` of seed 0 whatever the run's, so that the curves of seeds are of the same images.
    """
    parts: list[Tensor] = []  # read at the end: a GPU is not waited for in between
    with evaluating(model), full_float32(), seeded(seed):
        for images in in_order(split, BATCH, subset(len(split), LIMIT)):
            terms = model(to_device(images, model.device))
            parts.append(torch.stack([terms.reconstruction, terms.kl]))
    reconstruction, kl = torch.cat(parts, 1).cpu().double().mean(1).tolist()
    return {
        "validation_bound": reconstruction - kl,
        "validation_reconstruction": reconstruction,
        "validation_kl": kl,
    }


def draw_grids(model: SpatialVAE, split: ImageSplit, stem: Path, seed: int) -> None:
    """Two pictures, ``<stem>-samples.png`` (prior N(0, I)) and ``<stem>-reconstructions.png`` (image above its own)."""
    images = some_images(split, DRAWN)
    pairs = pairs_grid(images, model.reconstruct(images))
    save_picture(grid(model.sample(2 * DRAWN, seed=seed)), stem.with_name(f"{stem.name}-samples.png"))
    save_picture(pairs, stem.with_name(f"{stem.name}-reconstructions.png"))
