"""Which prior gives the best pictures, by images that neither the model nor the prior has seen."""

from __future__ import annotations

from collections.abc import Sequence

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData
from spatialvae.errors import UserError
from spatialvae.metrics import Estimate
from spatialvae.metrics.base import split_key
from spatialvae.metrics.evaluation import evaluate
from spatialvae.model import SpatialVAE

__all__ = ["held_out_frechet"]


def held_out_frechet(
    model: SpatialVAE, data: ImageData, priors: Sequence[str], features: str, *, generated: int, progress: bool = False
) -> dict[str, Estimate]:
    """The Fréchet distance of samples from each prior, and of reconstructions, to the validation images.

    The test images stay unseen: a prior that was chosen by them would look better than it is.

    Raises:
        UserError: one of the distances cannot be had, so that there is no choice between all.
    """
    config = EvaluationConfig(
        metrics="frechet", split="validation", features=features, generated=generated, prior=list(priors)
    )
    evaluation = evaluate(model, data, config, progress=progress)
    for key, why in evaluation.failed.items():
        raise UserError(f"{key} failed: {why}")
    return {split_key(key)[1]: value for key, value in evaluation.metrics.items() if key.startswith("frechet/")}
