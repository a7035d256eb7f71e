"""A dense Gaussian fitted to p(z|x) from a refined q on: natural gradients of its mean and of a factor."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.metrics.likelihood.dense_normal import DenseNormal, tril_of
from spatialvae.metrics.likelihood.refinement import Ended
from spatialvae.seeding import seeded

__all__ = ["ENTRIES", "best_dense", "dense_draws", "largest_block"]

ENTRIES = 2**26
"""Entries of all images' factors together, of which a fit holds some four copies: 1 GiB in float32."""
NUMBERS_A_DRAW = 24
"""A step sees a direction for each draw: so many of the code's numbers share one, at most."""
FIRST, LARGEST = 0.1, 0.5
"""The first step, of 1 for Newton's, and the most by which a step may stretch or shrink any direction."""


def largest_block(numbers: int, entries: int = ENTRIES) -> int:
    """How many of a code's numbers get a full covariance: all, or as many as one image's factor has room for.

    >>> largest_block(1152), largest_block(64 * 64 * 64)
    (1152, 256)
    """
    return min(numbers, max(1, entries // numbers))


def dense_draws(draws: int, block: int) -> int:
    """How many draws an image and step: as many as asked for, or a 24th of the dense numbers, at least 2.

    >>> dense_draws(8, 72), dense_draws(8, 1152)
    (8, 48)
    """
    return max(2, draws, block // NUMBERS_A_DRAW)


def best_dense(
    q: Distribution,
    log_joint: Callable[[Tensor], Tensor],
    *,
    block: int,
    steps: int,
    draws: int,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> Ended:
    """The Gaussian N(m, L L^T) at which E[log p(x, z) - log q(z)] is high, from the mean and covariance of `q` on.

        z = m + L e,   g = L^T grad log p(x, z) + e,   m <- m + r L E[g],   L <- L (I + r/2 E[g e^T + e g^T])

    g is the gradient along the path in the coordinates in which q is N(0, I): it vanishes where q is p(z|x), and its
    steps are Newton's for r = 1 (Opper and Archambeau, The variational Gaussian approximation revisited, 2009). In
    these coordinates no entry needs a step size of its own, as Adam gives, under which the noise of a million entries
    costs more than they gain. r falls as 1 / step, so that the noise of all steps is averaged, and is held so
    small that no direction shrinks or grows by more than a half.

    Args:
        q: of a batch of images; a `block` less than its numbers starts at its variances alone.
        log_joint: log p(x, z) of codes [draws, B, maps, h, w], in nats, [draws, B].
        block: how many numbers have a full covariance, runs in which the maps of a site stand together.
        steps: how many.
        draws: of the code an image and step.
        seed: of the draws.
        advance: called after each step.
    """
    order, factors = _start(q, block)
    sizes, loc, back = [factor.shape[-1] for factor in factors], q.mean.detach().clone(), order.argsort()

    def as_codes(numbers: Tensor) -> Tensor:
        return numbers[..., back].unflatten(-1, q.event_shape)

    before = DenseNormal(loc, [_tril(factor) for factor in factors], order)
    with seeded(seed):
        for step in range(steps):
            noise = torch.randn(len(loc), draws, len(order), dtype=loc.dtype, device=loc.device)
            parts = noise.split(sizes, -1)
            offsets = torch.cat([e @ factor.mT for e, factor in zip(parts, factors, strict=True)], -1)
            codes = (loc + as_codes(offsets.movedim(1, 0))).requires_grad_()
            (slope,) = torch.autograd.grad(log_joint(codes).sum(), codes)
            slopes = slope.flatten(-3)[..., order].movedim(0, 1).split(sizes, -1)
            moved = [
                _moved(factor, up @ factor + e, e, 1 / (step + 1 / FIRST))
                for e, up, factor in zip(parts, slopes, factors, strict=True)
            ]
            loc = loc + as_codes(torch.cat([move for move, _ in moved], -1))
            factors = [factor for _, factor in moved]
            if step + 1 == steps - steps // 4:
                before = DenseNormal(loc, [_tril(factor) for factor in factors], order)
            advance()
    return Ended(DenseNormal(loc, [_tril(factor) for factor in factors], order), before)


def _start(q: Distribution, block: int) -> tuple[Tensor, list[Tensor]]:
    """Which number of a flattened code stands at each place, and the factor of each block, [B, n, n]."""
    order = torch.arange(q.event_shape.numel(), device=q.mean.device)
    if block == len(order):
        return order, [tril_of(q).detach().clone()]
    order = order.view(q.event_shape).permute(1, 2, 0).flatten()
    return order, [part.diag_embed() for part in q.stddev.detach().flatten(1)[:, order].split(block, -1)]


def _moved(factor: Tensor, g: Tensor, e: Tensor, rate: float) -> tuple[Tensor, Tensor]:
    """r L E[g] and L (I + r/2 E[g e^T + e g^T]) of draws [B, S, n], by thin products alone."""
    draws, middle = e.shape[1], g.mean(1, keepdim=True)
    norms = [torch.linalg.eigvalsh(one @ one.mT)[:, -1].clamp(min=0).sqrt() for one in (g, e)]
    rates = (LARGEST * draws / (norms[0] * norms[1]).clamp(min=1e-12)).clamp(max=rate)[:, None, None]
    apart = g - middle
    stretched = factor + rates / (2 * draws) * ((factor @ apart.mT) @ e + (factor @ e.mT) @ apart)
    return (rates * (middle @ factor.mT)).squeeze(1), stretched


def _tril(factor: Tensor) -> Tensor:
    """The lower triangle with the same L L^T, by the triangle of a QR decomposition of L^T."""
    upper = torch.linalg.qr(factor.mT, mode="r").R
    return (upper * upper.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-1)).mT
