"""Cells of one picture's code put into another's."""

from __future__ import annotations

import torch
from torch import Tensor

from spatialvae.editing.cells import check_region
from spatialvae.editing.decoded import decoded, mean_codes_of
from spatialvae.model import SpatialVAE

__all__ = ["transplant"]


def transplant(model: SpatialVAE, first: Tensor, second: Tensor, cells: Tensor) -> Tensor:
    """The first pictures with cells of the second ones' mean codes put into theirs, decoded.

        z = (1 - R) mean q(z|first) + R mean q(z|second),  R = 1 in the cells chosen, for every map

    Args:
        first: images [B C H W] that get cells.
        second: images [B C H W] that give them.
        cells: which cells, bool [height, width] of the maps.

    Returns:
        uint8 [B C H W], on the CPU.

    Raises:
        UserError: a mask of other maps, or one without cells.
        ValueError: images of another size than the model's.
    """
    _, height, width = model.latent.event_shape
    check_region(cells, (height, width))
    codes = mean_codes_of(model, first), mean_codes_of(model, second)
    return decoded(model, torch.where(cells.to(model.device), codes[1], codes[0]))
