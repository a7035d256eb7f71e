"""The latents, one file each, the paper's four first; the table is the only place that lists them."""

from __future__ import annotations

from dataclasses import MISSING, fields

from spatialvae.errors import UserError, nearest
from spatialvae.latents.base import AbstractLatent
from spatialvae.latents.covariance import COVARIANCES, check_covariance
from spatialvae.latents.low_rank import LowRank
from spatialvae.latents.matrix_normal import MatrixNormalMaps
from spatialvae.latents.naive import Naive
from spatialvae.latents.tensor_normal import TensorNormalMaps
from spatialvae.latents.vector import Vector
from spatialvae.spec import split_spec, whole_number

__all__ = [
    "LATENTS",
    "AbstractLatent",
    "LowRank",
    "MatrixNormalMaps",
    "Naive",
    "TensorNormalMaps",
    "Vector",
    "parse_latent",
    "spell_latent",
    "variants",
]

LATENTS: dict[str, type[AbstractLatent]] = {
    "vector": Vector,
    "naive": Naive,
    "matrix-normal": MatrixNormalMaps,
    "low-rank": LowRank,
    "tensor-normal": TensorNormalMaps,
}
"""Every latent by its name on the command line."""
MOST_RANKS = 3


def parse_latent(spec: str, grid: tuple[int, int, int] | None = None) -> AbstractLatent:
    """The latent that a text such as ``low-rank:rank=2`` spells.

    Args:
        spec: ``name`` or ``name:option=value,option=value``; an option is a field of the latent.
        grid: (maps, height, width) of the comparison, for what the text leaves out.

    Raises:
        UserError: an unknown name or option, or a value that the latent cannot take.

    >>> parse_latent("low-rank:rank=2", (64, 3, 3))
    LowRank(maps=64, height=3, width=3, rank=2, covariance='diagonal')
    """
    name, pairs = split_spec(spec, "latent", LATENTS)
    known = [field.name for field in fields(LATENTS[name])]
    options: dict[str, int | str] = {}
    for key, value in pairs:
        if key not in known:
            raise UserError(f"{name} has no option {key!r}. {nearest(key, known)}")
        options[key] = _value(name, key, value)
    merged = {**(LATENTS[name].on_grid(*grid) if grid else {}), **options}
    missing = [field.name for field in fields(LATENTS[name]) if field.default is MISSING and field.name not in merged]
    if missing:
        raise UserError(f"{spec} leaves out {', '.join(missing)}: write for instance {name}:{missing[0]}=3.")
    return LATENTS[name](**merged)


def variants(grid: tuple[int, int, int]) -> dict[str, AbstractLatent]:
    """Every latent on a grid (maps, height, width), and each of its options alone, by the text that spells it.

    >>> list(variants((64, 3, 3)))[3:7]
    ['matrix-normal:covariance=ar1', 'matrix-normal:covariance=full', 'low-rank', 'low-rank:rank=2']
    """
    found = {}
    for name, kind in LATENTS.items():
        known = [field.name for field in fields(kind)]
        options = [f":rank={rank}" for rank in range(2, min(grid[1:]) + 1)][:MOST_RANKS] if "rank" in known else []
        options += [f":covariance={form}" for form in COVARIANCES[1:]] if "covariance" in known else []
        found |= {name + option: parse_latent(name + option, grid) for option in ["", *options]}
    return found


def _value(name: str, key: str, value: str) -> int | str:
    """An option's value from its text: a whole number, or a word where the latent takes words."""
    if key == "covariance":
        check_covariance(value)
        return value
    return whole_number(name, key, value)


def spell_latent(latent: AbstractLatent) -> str:
    """The full text of a latent, defaults left out; `parse_latent` gives the same latent back.

    >>> spell_latent(LowRank(maps=64, height=3, width=3, rank=2))
    'low-rank:maps=64,height=3,width=3,rank=2'
    """
    name = next(key for key, value in LATENTS.items() if value is type(latent))
    values = {
        field.name: getattr(latent, field.name)
        for field in fields(latent)
        if getattr(latent, field.name) != field.default
    }
    return f"{name}:" + ",".join(f"{key}={value}" for key, value in values.items())
