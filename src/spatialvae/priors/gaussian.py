"""A Gaussian fitted to the aggregate posterior: a prior one can sample from after training.

Draws from N(0, I) are not like encoded images, since the mean over images of q(z|x) never becomes N(0, I).
A Gaussian with its mean and covariance is the smallest cure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

__all__ = ["GaussianPrior", "fit_gaussian"]

LARGEST_FULL = 4096
JITTER = 1e-4
DRAWS_PER_NUMBER = 10


class GaussianPrior(Distribution):
    """z ~ N(loc, L L^T) over whole codes: batch [], event [maps, height, width].

    Args:
        loc: the mean code [maps, height, width].
        scale_tril: the Cholesky factor [D, D] of the covariance of the row-major flattened code; or its diagonal
            [D], standard deviations of independent numbers.
    """

    support = constraints.independent(constraints.real, 3)  # pyright: ignore

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None: a factor or a diagonal, which no single constraint says."""
        return {}

    def __init__(self, loc: Tensor, scale_tril: Tensor) -> None:
        self.loc, self.scale_tril = loc, scale_tril
        super().__init__(torch.Size(), loc.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.loc

    def to(self, device: torch.device | str) -> GaussianPrior:
        """The same law with its numbers on `device`."""
        return GaussianPrior(self.loc.to(device), self.scale_tril.to(device))

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape = torch.Size(sample_shape)
        noise = torch.randn(*shape, self.loc.numel(), dtype=self.loc.dtype, device=self.loc.device)
        spread = noise * self.scale_tril if self.scale_tril.ndim == 1 else noise @ self.scale_tril.mT
        return self.loc + spread.unflatten(-1, self.loc.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """log-density in nats, [*batch]."""
        centred = (value - self.loc).flatten(-3)
        if self.scale_tril.ndim == 1:
            return (
                torch.distributions.Normal(torch.zeros_like(self.scale_tril), self.scale_tril).log_prob(centred).sum(-1)
            )
        zero = torch.zeros_like(self.loc).flatten()
        return torch.distributions.MultivariateNormal(zero, scale_tril=self.scale_tril).log_prob(centred)


def fit_gaussian(
    posteriors: Callable[[], Iterable[Distribution]], event_shape: tuple[int, int, int], images: int
) -> GaussianPrior:
    """The Gaussian with the mean and covariance of draws from the aggregate posterior (1/n) sum_i q(z|x_i).

        loc = mean(z),  covariance = mean((z - loc)(z - loc)^T) + 1e-4 * (mean variance) * I

    Sums run in float64 where the posteriors are. Codes of more than 4096 numbers get independent numbers instead of a
    full covariance.

    Args:
        posteriors: gives the posteriors of all images, batch after batch.
        event_shape: (maps, height, width).
        images: how many images there are; few images are drawn from several times each, so that the covariance
            rests on at least ten draws a number of the code.
    """
    numbers = event_shape[0] * event_shape[1] * event_shape[2]
    full = numbers <= LARGEST_FULL
    draws = max(1, -(-DRAWS_PER_NUMBER * numbers // images)) if full else 1
    total: Any = 0.0
    products: Any = 0.0
    count = 0
    for posterior in posteriors():
        for _ in range(draws):
            codes = posterior.sample().flatten(1)
            codes = (codes.cpu() if codes.device.type == "mps" else codes).double()  # mps has no float64
            total += codes.sum(0)
            products += codes.mT @ codes if full else codes.square().sum(0)
            count += len(codes)
    loc = total / count
    if full:
        covariance = products / count - torch.outer(loc, loc)
        jitter = JITTER * covariance.diagonal().mean()
        scale_tril = torch.linalg.cholesky(
            covariance + jitter * torch.eye(numbers, dtype=torch.float64, device=loc.device)
        )
    else:
        variance = products / count - loc.square()
        scale_tril = (variance + JITTER * variance.mean()).sqrt()
    return GaussianPrior(loc.float().reshape(event_shape).cpu(), scale_tril.float().cpu())
