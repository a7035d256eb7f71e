"""What a latent is: data that says which numbers the encoder puts out, and which distribution they define."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from spatialvae.errors import UserError
from spatialvae.options import check_options
from spatialvae.registry import Registry

__all__ = ["LATENTS", "AbstractLatent", "independent_normals", "positive"]

LOWEST = -20.0
TANGENT_FROM = 2.0


@dataclass(frozen=True)
class AbstractLatent(ABC):
    """A latent of `maps` feature maps of `height` x `width`: the shapes of its parameters and their distribution.

    A subclass is a frozen dataclass whose further fields are its options. It defines `shapes` and `distribution`, and
    `axes` where a parameter has another shape than a code; the heads, the bound, the priors and the comparison need
    nothing else. A mean that is a product of parameters defines `initial` too.
    """

    maps: int
    height: int
    width: int

    description: ClassVar[str]
    """The posterior of one map, in words."""
    equation: ClassVar[str]
    """The same as an equation."""

    def __post_init__(self) -> None:
        for name in ("maps", "height", "width"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{name}={value!r} is not possible: a latent needs a whole number of at least 1.")
        check_options(self)

    @classmethod
    def on_grid(cls, maps: int, height: int, width: int) -> dict[str, int]:
        """The fields that suit a comparison on a grid of `maps` maps of `height` x `width`."""
        return {"maps": maps, "height": height, "width": width}

    @property
    def event_shape(self) -> tuple[int, int, int]:
        """The shape of one code, (maps, height, width)."""
        return (self.maps, self.height, self.width)

    @property
    def numbers(self) -> int:
        """How many numbers one code has, maps * height * width."""
        return self.maps * self.height * self.width

    @property
    def encoder_outputs(self) -> int:
        """How many numbers the encoder puts out for one image."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def shared_numbers(self) -> int:
        """How many numbers of the distribution are learned once and shared by all images."""
        return sum(math.prod(shape) for shape in self.shared_shapes.values())

    @property
    def shared_shapes(self) -> dict[str, tuple[int, ...]]:
        """The name and shape of each parameter that is learned once and shared by all images; none for most latents."""
        return {}

    @property
    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The name and shape, for one image, of each parameter that the encoder puts out."""

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """What the axes of each parameter of `shapes` run over, so that a convolutional head can put it out.

        ``map``, ``row`` and ``column``; ``row-pair`` and ``column-pair``, the pairs (i, j) of rows or columns with
        i > j, in the order of `torch.tril_indices`; any other word, such as ``rank``, is an axis of the latent's own.

        Raises:
            UserError: a parameter has another shape than a code, and the latent does not define its axes.
        """
        for name, shape in self.shapes.items():
            if shape != self.event_shape:
                raise UserError(
                    f"{type(self).__name__} does not define the axes of {name} {list(shape)}: add a property axes, "
                    f'which gives for instance {{"{name}": ("map", "row")}}.'
                )
        return dict.fromkeys(self.shapes, ("map", "row", "column"))

    def initial(self) -> dict[str, Tensor]:
        """Where free parameters start, as those of a learned prior do: zeros, which are the standard normal.

        A latent whose mean is a product starts one of the factors elsewhere: a product of zeros has no gradient.

        Returns:
            for each name of `shapes` and of `shared_shapes` a tensor of its shape, drawn from torch's generator where
            it is random.
        """
        return {name: torch.zeros(shape) for name, shape in {**self.shapes, **self.shared_shapes}.items()}

    @abstractmethod
    def distribution(self, parameters: dict[str, Tensor]) -> Distribution:
        """The distribution that raw network outputs define.

        Args:
            parameters: for each name of `shapes` a tensor [B, *shape] of unconstrained numbers, for each name of
                `shared_shapes` one of [*shape]. All zero is the standard normal distribution.

        Returns:
            a distribution with batch shape [B] and event shape [maps, height, width]; `map_marginals` gives those of
            its maps.
        """


LATENTS: Registry[AbstractLatent] = Registry("latent")
"""Every latent by its name: `@LATENTS.register("my-latent")` above a class adds one."""


def positive(raw: Tensor) -> Tensor:
    """A standard deviation from an unconstrained number: exp(raw) from raw = -20 to 2, its tangent from there on.

        scale = e^-20 for raw < -20,   exp(raw) for raw <= 2,   e^2 (raw - 1) for raw > 2

    raw = 0 means 1. A trained posterior is hardly ever wider than the prior, so the tangent is for the first steps:
    Adam moves every weight of a wide layer at once, and the KL would grow with the exponential of twice the sum of a
    row's and a column's number. What lies below -20 comes from an image unlike all before it: without the bound its
    scale would round to 0, and its log scale would have no gradient but nan, which ends the training of all images.
    There its gradient is 0: the other images bring it back.

    >>> import torch
    >>> positive(torch.tensor([0.0, -1.0, 2.0, 3.0]))
    tensor([ 1.0000,  0.3679,  7.3891, 14.7781])
    """
    return raw.clamp(LOWEST, TANGENT_FROM).exp() * (raw - (TANGENT_FROM - 1)).clamp(min=1)


def independent_normals(loc: Tensor, scale: Tensor) -> Distribution:
    """N independent maps of independent normal sites: batch [B], event [N, h, w].

    The maps are nested (a map of h x w, N times) so that its KL divergence with a distribution over whole maps,
    such as a matrix normal, is computed map by map.

    >>> import torch
    >>> independent_normals(torch.zeros(5, 2, 3, 3), torch.ones(5, 2, 3, 3)).event_shape
    torch.Size([2, 3, 3])
    """
    sites = Normal(loc, scale, validate_args=False)
    return Independent(Independent(sites, 2, validate_args=False), 1, validate_args=False)
