"""Squared distances between the rows of two sets, block by block: the memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from spatialvae.errors import UserError

__all__ = ["squared_distances"]

BLOCK_BYTES = 2**26
"""How large one block of rows becomes, once it is floating point."""

BLOCK_ROWS = 2048
"""How many rows a block has at most: the block of distances has no more than the square of it."""


def squared_distances(
    left: Tensor, right: Tensor, *, names: tuple[str, str], dtype: torch.dtype = torch.float64, rounding: float = 0.0
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Blocks of |a_i - b_j|^2 for all rows a_i of the one set and b_j of the other, one matrix product each.

        |a - b|^2 = |a - c|^2 + |b - c|^2 - 2 (a - c).(b - c),   c = mean of the right set

    Both sets are moved by c first: the three terms would otherwise be far larger than what remains of them. The product
    is in `dtype`, norms and sums are in float64. uint8 is read as pixels in [0, 1].

    Args:
        left: [n ...], uint8 or floating point.
        right: [m ...], of the same size a row.
        names: what the sets are called, in the plural, if a message has to name them.
        rounding: norms are taken smaller by this share, so that equal rows come out at 0 exactly.

    Yields:
        which rows of the left set, which of the right one, and their squared distances, float64 [rows, columns], at
        least 0; all blocks of the same left rows in a row.

    Raises:
        UserError: NaN or infinity in a set.

    >>> points = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    >>> [block for *_, block in squared_distances(points, points[:1], names=("points", "points"))]
    [tensor([[ 0.],
            [25.]], dtype=torch.float64)]
    """
    size = _rows_a_block(right, dtype)
    centre = _mean_row(right, size)
    _demand_finite(centre, names[1])
    share = 1 - rounding
    # Norms in float64 cost a fifth of a product: those of the right set are not taken again for every left block.
    right_norms = torch.cat([_norms(_moved(right[part], centre, dtype)) for part in _slices(len(right), size)]) * share
    for rows in _slices(len(left), size):
        a = _moved(left[rows].to(right.device), centre, dtype)
        left_norms = _norms(a) * share
        _demand_finite(left_norms, names[0])
        for columns in _slices(len(right), size):
            squared = (a @ _moved(right[columns], centre, dtype).mT).double().mul_(-2)
            squared.add_(left_norms.unsqueeze(1)).add_(right_norms[columns])
            yield rows, columns, squared.clamp_(min=0)


def _rows_a_block(rows: Tensor, dtype: torch.dtype) -> int:
    return max(1, min(BLOCK_ROWS, BLOCK_BYTES // (max(1, rows[0].numel()) * dtype.itemsize)))


def _slices(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _mean_row(rows: Tensor, size: int) -> Tensor:
    """The mean over rows in float64, on the scale that the rows are compared on, [D]."""
    exact = torch.int64 if rows.dtype == torch.uint8 else torch.float64
    total = sum(part.flatten(1).sum(0, dtype=exact) for part in rows.split(size))
    mean = torch.as_tensor(total).double() / len(rows)
    return mean / 255 if rows.dtype == torch.uint8 else mean


def _moved(rows: Tensor, centre: Tensor, dtype: torch.dtype) -> Tensor:
    """Rows as floats with the centre taken away, [B, D]."""
    moved = rows.flatten(1).to(dtype, copy=True)
    if rows.dtype == torch.uint8:
        moved.div_(255)
    return moved.sub_(centre.to(dtype))


def _norms(rows: Tensor) -> Tensor:
    """Squared norms in float64, [B]."""
    return torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64).square()


def _demand_finite(numbers: Tensor, name: str) -> None:
    if not numbers.isfinite().all():
        raise UserError(f"The {name} hold NaN or infinite numbers; all must be finite.")
