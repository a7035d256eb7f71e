"""Paths between codes, decoded on the way: straight, round the prior's mean, or cell by cell."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from spatialvae.editing.cells import check_cells
from spatialvae.editing.decoded import decoded, mean_codes_of
from spatialvae.errors import UserError, nearest
from spatialvae.model import SpatialVAE
from spatialvae.runtime.evaluating import evaluating
from spatialvae.seeding import seeded

__all__ = ["PATHS", "between_draws", "between_pictures", "cell_by_cell", "check_path", "linear", "spherical"]

PARALLEL = 1e-4
"""Sine of an angle below which two directions are taken as one line: the arc's formula divides by it."""


def between_pictures(
    model: SpatialVAE, images: Tensor, steps: int, *, path: str = "linear", prior: str | None = None
) -> Tensor:
    """The path from one picture's mean code to the other's: images [2 C H W] -> uint8 [steps C H W].

    Args:
        path: a name of `PATHS`.
        prior: whose mean a spherical path goes round; default: the model's `priors.default`.
    """
    check_path(model, path)
    first, last = mean_codes_of(model, images)
    with torch.no_grad():
        return decoded(
            model, PATHS[path](first, last, steps, model.prior(prior or model.priors.default).mean.to(first))
        )


@torch.no_grad()
def between_draws(
    model: SpatialVAE, count: int, steps: int, *, seed: int | None, prior: str, path: str = "linear"
) -> Tensor:
    """`count` paths between draws of a prior, one after the other: uint8 [count * steps C H W]."""
    check_path(model, path)
    with evaluating(model), seeded(seed):
        codes = model.prior(prior)
        ends = codes.sample(torch.Size([2 * count])).to(model.device)
    centre = codes.mean.to(ends)
    walks = [PATHS[path](a, b, steps, centre) for a, b in zip(ends[:count], ends[count:], strict=True)]
    return decoded(model, torch.cat(walks))


def check_path(model: SpatialVAE, path: str) -> None:
    """Refuse a path that is not known, or one over cells where the latent has none.

    Raises:
        UserError: either of these.
    """
    if path not in PATHS:
        raise UserError(f"`path` {path} is not known. {nearest(path, PATHS)}")
    if path == "cells":
        check_cells(model.latent.event_shape[1:])


def linear(first: Tensor, last: Tensor, steps: int, centre: Tensor) -> Tensor:
    """z(t) = (1 - t) first + t last for `steps` values of t from 0 to 1; codes -> [steps, maps, height, width].

    >>> ends = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    >>> linear(*ends, 3, torch.zeros(1, 1, 1)).flatten()
    tensor([0.0000, 0.5000, 1.0000])
    """
    t = torch.linspace(0, 1, steps, dtype=first.dtype, device=first.device)[:, None, None, None]
    return (1 - t) * first + t * last


def spherical(first: Tensor, last: Tensor, steps: int, centre: Tensor) -> Tensor:
    """An arc round `centre`, the prior's mean c: the direction turns evenly, the distance from c changes evenly.

        z(t) = c + ((1 - t)|u| + t|v|) [sin((1 - t) a) u/|u| + sin(t a) v/|v|] / sin(a)

    with u = first - c, v = last - c and a the angle between them. Opposite directions have no shortest arc: they go
    straight through c. Shoemake, "Animating rotation with quaternion curves", 1985.

    >>> first, last = torch.tensor([1.0, 0.0]).view(2, 1, 1), torch.tensor([0.0, 3.0]).view(2, 1, 1)
    >>> spherical(first, last, 3, torch.zeros(2, 1, 1)).flatten(1).norm(dim=1)
    tensor([1.0000, 2.0000, 3.0000])
    """
    t = torch.linspace(0, 1, steps, dtype=first.dtype, device=first.device)[:, None, None, None]
    u, v = first - centre, last - centre
    lengths = u.norm(), v.norm()
    tiny = torch.finfo(first.dtype).tiny
    directions = u / lengths[0].clamp(min=tiny), v / lengths[1].clamp(min=tiny)
    angle = (directions[0] * directions[1]).sum().clamp(-1, 1).acos()
    if angle.sin() < PARALLEL:
        weights = 1 - t, t
    else:
        weights = ((1 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin()
    return centre + ((1 - t) * lengths[0] + t * lengths[1]) * (weights[0] * directions[0] + weights[1] * directions[1])


def cell_by_cell(first: Tensor, last: Tensor, steps: int, centre: Tensor) -> Tensor:
    """Cells go over from the first code to the last one after another, row by row from the top left.

    After step s of n - 1 as many cells of the h w are the last code's as s h w / (n - 1) rounds to.

    >>> ends = torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    >>> cell_by_cell(*ends, 3, torch.zeros(1, 2, 2))[1]
    tensor([[[1., 1.],
             [0., 0.]]])
    """
    height, width = first.shape[-2:]
    order = torch.arange(height * width, device=first.device).reshape(height, width)
    codes = [torch.where(order < round(s * height * width / (steps - 1)), last, first) for s in range(steps)]
    return torch.stack(codes)


PATHS: dict[str, Callable[[Tensor, Tensor, int, Tensor], Tensor]] = {
    "linear": linear,
    "spherical": spherical,
    "cells": cell_by_cell,
}
"""Each takes both ends [maps, height, width], the number of steps and the prior's mean -> [steps, maps, h, w]."""
