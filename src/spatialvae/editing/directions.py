"""Principal directions of a distribution over codes, and how far it reaches along a direction, from draws."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.seeding import seeded

__all__ = ["MOST_DIRECTIONS", "deviation_along", "draws_of", "principal_directions"]

MOST_DIRECTIONS = 2000
"""Of codes of more numbers only so many directions can be asked for, and the decomposition is randomised."""
DRAWS_PER_NUMBER, FEWEST_DRAWS = 4, 2000
MORE, ROUNDS = 10, 6  # directions beyond those wanted, and passes: what keeps a randomised decomposition exact


@torch.no_grad()
def draws_of(distribution: Distribution, *, seed: int | None = 0) -> Tensor:
    """Draws that directions are estimated from: four times as many as a code has numbers, between 2,000 and 8,000.

    Args:
        distribution: over codes, batch [] or [1], event [maps, height, width].

    Returns:
        float64 [n, maps, height, width] on the CPU.
    """
    numbers = min(distribution.event_shape.numel(), MOST_DIRECTIONS)
    with seeded(seed):
        draws = distribution.sample(torch.Size([max(FEWEST_DRAWS, DRAWS_PER_NUMBER * numbers)]))
    return draws.reshape(-1, *distribution.event_shape).cpu().double()


def principal_directions(draws: Tensor, count: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The directions along which draws vary most, and their standard deviations along them.

        C d_k = s_k^2 d_k,  C the covariance of the draws,  s_1 >= s_2 >= ...,  |d_k| = 1

    Up to 2,000 numbers by the eigenvectors of C, beyond by a randomised decomposition (Halko,
    Martinsson and Tropp, 2011). The largest entry of a direction is positive.

    Args:
        draws: [n, *event].
        count: how many directions, at most the numbers of an event.
        seed: of the randomised decomposition.

    Returns:
        directions [count, *event] and standard deviations [count].

    >>> draws = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> principal_directions(draws, 1)[0].abs()
    tensor([[1., 0.]])
    """
    event = draws.shape[1:]
    centred = draws.flatten(1) - draws.flatten(1).mean(0)
    numbers = centred.shape[1]
    if numbers <= MOST_DIRECTIONS:
        values, vectors = torch.linalg.eigh(centred.mT @ centred / (len(draws) - 1))
        variances, directions = values.flip(0)[:count], vectors.mT.flip(0)[:count]
    else:
        with seeded(seed):
            _, singular, right = torch.svd_lowrank(centred, q=min(count + MORE, *centred.shape), niter=ROUNDS)
        variances, directions = (singular.square() / (len(draws) - 1))[:count], right.mT[:count]
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    directions = torch.where(largest < 0, -directions, directions)
    return directions.unflatten(1, event), variances.clamp(min=0).sqrt()


def deviation_along(direction: Tensor, draws: Tensor) -> float:
    """The standard deviation of draws [n, *event] along a unit direction [*event].

    >>> deviation_along(torch.tensor([0.0, 1.0]), torch.tensor([[9.0, 1.0], [5.0, -1.0], [7.0, 0.0]]))
    1.0
    """
    return (draws.flatten(1) @ direction.flatten().to(draws)).std().item()
