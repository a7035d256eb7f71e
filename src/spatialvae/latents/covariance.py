"""The three forms of a side's covariance: which numbers the encoder puts out for it, and the factor they make."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from spatialvae.distributions import AbstractFactor, AutoregressiveFactor, DiagonalFactor, TriangularFactor
from spatialvae.latents.base import positive

__all__ = ["Covariance", "row_and_column_axes", "row_and_column_shapes", "side", "side_shapes"]

Covariance = Literal["diagonal", "ar1", "full"]

LARGEST_CORRELATION = 0.99
"""Beyond it the covariance of a long side is nearly singular, and float32 loses the KL's digits."""


def side_shapes(covariance: Covariance, name: str, lead: tuple[int, ...], size: int) -> dict[str, tuple[int, ...]]:
    """The parameters of `lead` sides of `size` sites: d, d + 1 or d(d + 1)/2 numbers each.

    >>> side_shapes("full", "row", (64,), 3)
    {'row_scale': (64, 3), 'row_mixing': (64, 3)}
    """
    shapes = {f"{name}_scale": (*lead, size)}
    if size > 1 and covariance == "ar1":
        shapes[f"{name}_correlation"] = (*lead, 1)
    if size > 1 and covariance == "full":
        shapes[f"{name}_mixing"] = (*lead, size * (size - 1) // 2)
    return shapes


def row_and_column_shapes(
    covariance: Covariance, lead: tuple[int, ...], height: int, width: int
) -> dict[str, tuple[int, ...]]:
    """The parameters of the two sides of `lead` maps of `height` x `width`.

    >>> row_and_column_shapes("diagonal", (64,), 3, 5)
    {'row_scale': (64, 3), 'column_scale': (64, 5)}
    """
    return side_shapes(covariance, "row", lead, height) | side_shapes(covariance, "column", lead, width)


def row_and_column_axes(shapes: Iterable[str], lead: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The axes of those of `shapes` that belong to the two sides, with the axes `lead` before them.

    >>> row_and_column_axes(["loc", "row_scale", "row_mixing"], ("map",))
    {'row_scale': ('map', 'row'), 'row_mixing': ('map', 'row-pair')}
    """
    own = {"scale": "{}", "correlation": "number", "mixing": "{}-pair"}
    axes = {f"{side}_{name}": (*lead, axis.format(side)) for side in ("row", "column") for name, axis in own.items()}
    return {name: axes[name] for name in shapes if name in axes}


def side(name: str, parameters: dict[str, Tensor]) -> AbstractFactor:
    """The factor that raw network outputs named as in `side_shapes` define; all zero is the identity.

        diagonal: L = diag(s)      ar1: r = 0.99 tanh(raw)      full: L = diag(s) (I + T)

    with s = positive(raw) and T strictly lower triangular, filled row by row with the packed numbers. The correlations
    of a full side do not depend on s, so that its gradient keeps its size as the posterior narrows.
    """
    scale = positive(parameters[f"{name}_scale"])
    correlation, mixing = parameters.get(f"{name}_correlation"), parameters.get(f"{name}_mixing")
    if correlation is not None:
        return AutoregressiveFactor(scale, LARGEST_CORRELATION * correlation.squeeze(-1).tanh())
    if mixing is not None:
        return TriangularFactor(scale.unsqueeze(-1) * unit_lower(mixing, scale.shape[-1]))
    return DiagonalFactor(scale)


def unit_lower(packed: Tensor, size: int) -> Tensor:
    """I + T [*B, d, d] for the numbers of T [*B, d(d - 1)/2], row by row.

    >>> unit_lower(torch.tensor([2.0, 3.0, 4.0]), 3)
    tensor([[1., 0., 0.],
            [2., 1., 0.],
            [3., 4., 1.]])
    """
    # What is made while torch traces is no tensor with values, and must not be kept for calls to come.
    places = _places if torch.compiler.is_compiling() else _kept_places
    index, identity = places(size, packed.device)
    spread = packed.index_select(-1, index).unflatten(-1, (size, size))  # pyright: ignore[reportUnknownVariableType]
    return spread.tril(-1) + identity  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


@cache
def _kept_places(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The same, kept; a training after an evaluation needs tensors that inference mode did not make."""
    with torch.inference_mode(False):
        return _places(size, device)


def _places(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """For each entry of a matrix which packed number it holds (0 where none does), and the identity."""
    rows, columns = torch.tril_indices(size, size, -1, device=device)
    index = torch.zeros(size, size, dtype=torch.long, device=device)
    index[rows, columns] = torch.arange(len(rows), device=device)
    return index.flatten(), torch.eye(size, device=device)
