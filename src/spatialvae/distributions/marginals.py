"""The marginal distributions of a code's maps, whatever the form of the code's distribution."""

from __future__ import annotations

from typing import Protocol, cast, runtime_checkable

from torch.distributions import Distribution, Independent

from spatialvae.errors import UserError

__all__ = ["Sliced", "map_marginals", "ungrouped"]


@runtime_checkable
class Sliced(Protocol):
    """A distribution of correlated slices that gives their marginals, as `TensorNormal` does."""

    def slices(self) -> Distribution:
        """The marginals of the slices along the event's first side: batch [*B, N], event [...]."""
        ...


def map_marginals(distribution: Distribution) -> Distribution:
    """The marginals of the maps of a code: batch [*B, N], event [h, w] for an event [N, h, w].

    Independent maps are read off an `Independent`, however it groups its axes. A distribution of correlated maps says
    them itself by a method `slices`.

    Raises:
        UserError: the distribution is neither.

    >>> import torch
    >>> from torch.distributions import Normal
    >>> zeros, ones = torch.zeros(5, 2, 3, 3), torch.ones(5, 2, 3, 3)
    >>> maps = map_marginals(Independent(Normal(zeros, ones), 3))
    >>> maps.batch_shape, maps.event_shape
    (torch.Size([5, 2]), torch.Size([3, 3]))
    """
    if isinstance(distribution, Sliced):
        return distribution.slices()
    base, axes = ungrouped(distribution)
    if axes == 0:
        raise UserError(
            f"The maps' marginals of a {type(distribution).__name__} are not known: give it a method slices(), or wrap "
            "independent maps into Independent."
        )
    return base if axes == 1 else Independent(base, axes - 1, validate_args=False)


def ungrouped(distribution: Distribution) -> tuple[Distribution, int]:
    """What nested `Independent` distributions are made of, and how many axes they reinterpret in all.

    >>> import torch
    >>> from torch.distributions import Normal
    >>> base, axes = ungrouped(Independent(Independent(Normal(torch.zeros(2, 3), torch.ones(2, 3)), 1), 1))
    >>> type(base).__name__, axes
    ('Normal', 2)
    """
    base, axes = distribution, 0
    while isinstance(base, Independent):
        group = cast("Independent[Distribution]", base)
        base, axes = group.base_dist, axes + group.reinterpreted_batch_ndims
    return base, axes
