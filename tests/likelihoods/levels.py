"""The 256 values of a pixel on the model's scale, as images of one pixel each, and raw outputs for them."""

from __future__ import annotations

import torch
from torch import Tensor

from spatialvae.likelihoods import LIKELIHOODS, AbstractLikelihood

HALF = 1 / 255
LEVELS = torch.arange(256, dtype=torch.float64) / 127.5 - 1


def pixels(values: Tensor | float) -> Tensor:
    """Values [N] as images [N 1 1 1]; a number as one image, in float64."""
    return torch.as_tensor(values, dtype=torch.float64).reshape(-1, 1, 1, 1)


def built(spec: str, channels: int) -> AbstractLikelihood:
    """The likelihood as a model of such images has it."""
    likelihood = LIKELIHOODS.parse(spec)
    likelihood.build(channels)
    return likelihood


def raw(likelihood: AbstractLikelihood, place: Tensor, rest: float = 0.0) -> Tensor:
    """Outputs [N outputs H W] whose means are `place` [N C H W] before any squashing; all others are `rest`."""
    means = likelihood.means(place.shape[1])
    return torch.stack([torch.full_like(place[:, 0], rest) if c is None else place[:, c] for c in means], 1)
