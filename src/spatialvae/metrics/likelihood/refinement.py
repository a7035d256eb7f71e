"""Free parameters of q refined image by image: stochastic gradient ascent of the bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.seeding import seeded

__all__ = ["Ended", "refine"]

RATE = 0.02
"""Adam's step size at the start; it falls to 0 along half a cosine."""
Free = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Ended:
    """The q at which a refinement ended, and the one after three quarters of its steps: they say whether it had."""

    q: Distribution
    before: Distribution


def refine(
    start: Mapping[str, Tensor],
    distribution: Callable[[Free], Distribution],
    log_joint: Callable[[Tensor], Tensor],
    *,
    steps: int,
    draws: int,
    seed: int,
    rate: float = RATE,
    advance: Callable[[], None] = lambda: None,
) -> Ended:
    """The q of some parameters at which E_q[log p(x, z) - log q(z)] is high, each image's by itself.

    The gradient is that along the path of the draws alone, d/dz [log p(x, z) - log q(z)] dz/d parameters (Roeder, Wu
    and Duvenaud, Sticking the landing, 2017): it has the bound's gradient as its mean, and no noise where q is p(z|x).

    Args:
        start: the parameters of the images, [B, ...] each.
        distribution: q of such parameters, batch [B].
        log_joint: log p(x, z) of codes [draws, B, maps, h, w], in nats, [draws, B].
        steps: of Adam, whose step size falls from `rate` to 0 along half a cosine.
        draws: of the code an image and step.
        seed: of the draws: refinements of equal seeds see the same noise.
        advance: called after each step.
    """
    free = {name: value.detach().clone().requires_grad_() for name, value in start.items()}
    optimiser = torch.optim.Adam(list(free.values()), lr=rate, betas=(0.9, 0.99))
    before = distribution(dict(start))
    with seeded(seed):
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
            codes = distribution(free).rsample(torch.Size([draws]))
            fixed = distribution({name: value.detach() for name, value in free.items()})
            height = (log_joint(codes) - fixed.log_prob(codes)).mean(0)
            gradients = torch.autograd.grad(-height.sum(), list(free.values()))
            for value, gradient in zip(free.values(), gradients, strict=True):
                value.grad = gradient
            optimiser.step()
            if step + 1 == steps - steps // 4:
                before = distribution({name: value.detach().clone() for name, value in free.items()})
            advance()
    return Ended(distribution({name: value.detach() for name, value in free.items()}), before)
