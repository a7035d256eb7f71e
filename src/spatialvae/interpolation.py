"""Straight lines between codes, decoded on the way."""

from __future__ import annotations

import torch
from torch import Tensor

from spatialvae.data.pixels import to_uint8
from spatialvae.model import SpatialVAE, evaluating
from spatialvae.seeding import seeded

__all__ = ["between_draws", "between_pictures"]


@torch.no_grad()
def between_pictures(model: SpatialVAE, images: Tensor, steps: int) -> Tensor:
    """The path from one picture's mean code to the other's: images [2 C H W] -> uint8 [steps C H W]."""
    with evaluating(model):
        first, last = model.encode(images.to(model.device)).mean
        return _decode_path(model, first[None], last[None], steps)


@torch.no_grad()
def between_draws(model: SpatialVAE, count: int, steps: int, *, seed: int | None, prior: str) -> Tensor:
    """`count` paths between draws of a prior, one after the other: uint8 [count * steps C H W]."""
    with evaluating(model), seeded(seed):
        ends = model.prior(prior).sample(torch.Size([2 * count])).to(model.device)
        return _decode_path(model, ends[:count], ends[count:], steps)


def _decode_path(model: SpatialVAE, first: Tensor, last: Tensor, steps: int) -> Tensor:
    """z(t) = (1 - t) first + t last for t from 0 to 1; codes [n, ...] -> pictures, path after path."""
    t = torch.linspace(0, 1, steps, device=first.device)[:, None, None, None]
    paths = [model.decode((1 - t) * a + t * b).mean for a, b in zip(first, last, strict=True)]
    return to_uint8(torch.cat(paths)).cpu()
