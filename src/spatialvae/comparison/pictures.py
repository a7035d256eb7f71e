"""The pictures of a comparison: training images with each model's samples, held-out images with reconstructions."""

from __future__ import annotations

from torch import Tensor

from spatialvae.data import ImageData
from spatialvae.data.batches import some_images
from spatialvae.fitting import present
from spatialvae.model import SpatialVAE
from spatialvae.report import Pictures

__all__ = ["pictures"]

SHOWN = 10


def pictures(models: dict[str, SpatialVAE], data: ImageData, split: str, priors: list[str] | None = None) -> Pictures:
    """Training images, samples from `priors` (None: all that a model has), and images of `split`, all the same always.

    A prior that a model lacks, since it could not be fitted, is left out.
    """
    held_out = some_images(data.split(split), SHOWN)
    return Pictures(
        training=some_images(data.split("train"), SHOWN),
        samples={name: _samples(model, priors) for name, model in models.items()},
        originals=held_out,
        reconstructions={name: model.reconstruct(held_out) for name, model in models.items()},
    )


def _samples(model: SpatialVAE, priors: list[str] | None) -> dict[str, Tensor]:
    shown = present(model, priors) or [model.priors.own, *model.priors]
    return {prior: model.sample(SHOWN, seed=0, prior=prior) for prior in shown}
