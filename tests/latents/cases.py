"""The latents that the contract is checked on: the table, with options, and a user's own, on square and long maps."""

from __future__ import annotations

import torch
from torch import Tensor

from spatialvae.latents import LATENTS, AbstractLatent, parse_latent
from tests.latents.own import Separable

GRIDS = [(3, 3, 3), (2, 3, 5), (2, 4, 2)]
OPTIONS = {
    "low-rank:rank=2": GRIDS,
    "low-rank:rank=3": [(3, 3, 3), (2, 3, 5)],
    "low-rank:rank=2,covariance=full": GRIDS[1:],
    "low-rank:covariance=ar1": GRIDS[1:],
    **{f"{name}:covariance={form}": GRIDS for name in ("matrix-normal", "tensor-normal") for form in ("ar1", "full")},
    "matrix-normal:covariance=full,height=1": GRIDS[1:2],
}
SPELLED = [(name, grid) for name in LATENTS for grid in GRIDS]
SPELLED += [(spec, grid) for spec, grids in OPTIONS.items() for grid in grids]
OWN = [Separable(2, 3, 5), Separable(1, 1, 1, gain=2.0)]
CASES = [*dict.fromkeys(parse_latent(spec, grid) for spec, grid in SPELLED), *OWN]


def spelled(latent: AbstractLatent) -> str:
    """A test's name for a latent, with one in the table or without."""
    return LATENTS.spell(latent) if LATENTS.name_of(latent) else str(latent)


def outputs(
    latent: AbstractLatent, batch: int = 4, spread: float = 0.5, dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    """Random raw network outputs for a batch of images, and what they share; each leaf with a gradient."""
    shapes = {name: (batch, *shape) for name, shape in latent.shapes.items()} | latent.shared_shapes
    return {name: (spread * torch.randn(shape, dtype=dtype)).requires_grad_() for name, shape in shapes.items()}
