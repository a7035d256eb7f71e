"""Heun's method for du/dt = f(u, t) from 0 to 1 or back, and the change of log-density along the way."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor

__all__ = ["LARGEST_EXACT", "PROBES", "Field", "divergence", "heun", "heun_with_divergence", "scale"]

Field = Callable[[Tensor, float], Tensor]
"""f(u, t) for u [B, *event] and a time: [B, *event]."""

Time = TypeVar("Time", float, Tensor)

LARGEST_EXACT = 64
"""Numbers up to which the divergence is the exact trace; beyond, an estimate."""
PROBES = 4
"""Random signs a number for such an estimate."""


def scale(time: Time) -> Time:
    """s(t) = sqrt(t^2 + (1 - t)^2), the standard deviation of (1 - t) e + t y for e, y ~ N(0, I)."""
    return (time**2 + (1 - time) ** 2) ** 0.5  # pyright: ignore[reportReturnType]


def heun(field: Field, start: Tensor, times: list[float]) -> Tensor:
    """u at the last of `times`, from u = `start` at the first; two evaluations a step, error O(step^2).

    >>> heun(lambda u, t: u, torch.ones(1), [0.0, 0.5, 1.0])
    tensor([2.6406])
    """
    u = start
    for now, then in pairwise(times):
        step = then - now
        slope = field(u, now)
        u = u + 0.5 * step * (slope + field(u + step * slope, then))
    return u


def heun_with_divergence(
    field: Field, start: Tensor, times: list[float], probes: Tensor | None
) -> tuple[Tensor, Tensor]:
    """What `heun` gives, and the integral of div f along the way, [B], by the same method.

    Args:
        probes: for `divergence`.
    """
    u, total = start, start.new_zeros(len(start))
    for now, then in pairwise(times):
        step = then - now
        slope, spread = divergence(field, u, now, probes)
        other, spread_then = divergence(field, u + step * slope, then, probes)
        u = u + 0.5 * step * (slope + other)
        total = total + 0.5 * step * (spread + spread_then)
    return u, total


def divergence(field: Field, u: Tensor, time: float, probes: Tensor | None) -> tuple[Tensor, Tensor]:
    """f(u, t), and its divergence [B]: sum_i df_i/du_i, or Hutchinson's mean over probes of p^T (df/du) p.

    Args:
        probes: [K, B, *event] of +1 and -1, K for each code; None for the exact trace.
    """
    with torch.inference_mode(False), torch.enable_grad():
        u = u.detach().clone().requires_grad_()
        slope = field(u, time)
        if not slope.requires_grad:
            return slope, slope.new_zeros(len(slope))
        units = torch.eye(u[0].numel(), dtype=u.dtype, device=u.device)
        rows = units.reshape(-1, 1, *u.shape[1:]) if probes is None else probes
        total = u.new_zeros(len(u))
        for row in rows:
            (gradient,) = torch.autograd.grad(slope, u, row.expand_as(slope), retain_graph=True)
            total = total + (gradient * row).flatten(1).sum(1)
    return slope.detach(), total if probes is None else total / len(rows)
