"""The latents, one file each, the paper's four first: each file registers its own in `LATENTS`."""

from __future__ import annotations

from collections.abc import Mapping

from spatialvae.errors import UserError
from spatialvae.options import Option

# The table has the order of these imports.
# isort: off
from spatialvae.latents.base import LATENTS, AbstractLatent
from spatialvae.latents.vector import Vector
from spatialvae.latents.naive import Naive
from spatialvae.latents.matrix_normal import MatrixNormalMaps
from spatialvae.latents.low_rank import LowRank
from spatialvae.latents.tensor_normal import TensorNormalMaps
# isort: on

__all__ = [
    "LATENTS",
    "AbstractLatent",
    "LowRank",
    "MatrixNormalMaps",
    "Naive",
    "TensorNormalMaps",
    "Vector",
    "parse_latent",
    "variants",
]

MOST_NUMBERS = 3
"""Of a whole-number option, the values after its default that `variants` lists."""


def parse_latent(spec: str, grid: tuple[int, int, int] | None = None) -> AbstractLatent:
    """The latent that a text such as ``low-rank:rank=2`` spells; `LATENTS.spell` writes the text again.

    Args:
        spec: ``name`` or ``name:option=value,option=value``; an option is a field of the latent.
        grid: (maps, height, width) of the comparison, for what the text leaves out.

    Raises:
        UserError: an unknown name or option, or a value that the latent cannot take.

    >>> parse_latent("low-rank:rank=2", (64, 3, 3))
    LowRank(maps=64, height=3, width=3, rank=2, covariance='diagonal')
    """
    kind = LATENTS[LATENTS.split(spec)[0]]
    sizes: Mapping[str, int] = getattr(kind, "on_grid", AbstractLatent.on_grid)(*grid) if grid else {}
    return LATENTS.parse(spec, sizes)


def variants(grid: tuple[int, int, int]) -> dict[str, AbstractLatent]:
    """Every latent on a grid (maps, height, width), and each of its options alone, by the text that spells it.

    >>> list(variants((64, 3, 3)))[3:7]
    ['matrix-normal:covariance=ar1', 'matrix-normal:covariance=full', 'low-rank', 'low-rank:rank=2']
    """
    latents: dict[str, AbstractLatent] = {}
    for name in LATENTS:
        latents[name] = parse_latent(name, grid)
        for option in LATENTS.options(name).values():
            for value in _others(option):
                try:
                    latents[spec] = parse_latent((spec := f"{name}:{option.name}={value}"), grid)
                except UserError:  # a rank of more than the map's side, and what a latent of one's own refuses
                    break
    return latents


def _others(option: Option) -> list[object]:
    """The values of an option beside its default that are worth listing."""
    if isinstance(option.default, int) and option.types == (int,):
        return [option.default + step for step in range(1, MOST_NUMBERS + 1)]
    return [choice for choice in option.choices if choice != option.default]
