"""What a latent is: data that says which numbers the encoder must put out, and which law they define."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from spatialvae.errors import UserError
from spatialvae.registry import Registry, check_options

__all__ = ["LATENTS", "AbstractLatent", "independent_normals", "positive"]

TANGENT_FROM = 2.0


@dataclass(frozen=True)
class AbstractLatent(ABC):
    """A latent of `maps` feature maps of `height` x `width`: the shapes of its parameters and its law.

    A subclass is a frozen dataclass whose further fields are its options. It defines `shapes` and
    `distribution`; the projection head, the bound, the priors and the comparison need nothing else.
    """

    maps: int
    height: int
    width: int

    law: ClassVar[str]
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
        """How many numbers of the law are learned once and shared by all images."""
        return sum(math.prod(shape) for shape in self.shared_shapes.values())

    @property
    def shared_shapes(self) -> dict[str, tuple[int, ...]]:
        """The name and shape of each parameter that is learned once and shared by all images; none for most latents."""
        return {}

    @property
    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The name and shape, for one image, of each parameter that the encoder puts out."""

    @abstractmethod
    def distribution(self, parameters: dict[str, Tensor]) -> Distribution:
        """The law that raw network outputs define.

        Args:
            parameters: for each name of `shapes` a tensor [B, *shape] of unconstrained numbers, for each name of
                `shared_shapes` one of [*shape]. All zero is the standard normal law.

        Returns:
            a distribution with batch shape [B] and event shape [maps, height, width].
        """


LATENTS: Registry[AbstractLatent] = Registry("latent")
"""Every latent by its name: `@LATENTS.register("my-latent")` above a class adds one."""


def positive(raw: Tensor) -> Tensor:
    """A standard deviation from an unconstrained number: exp(raw) up to raw = 2, its tangent from there on.

        scale = exp(raw) for raw <= 2,   e^2 (raw - 1) for raw > 2

    raw = 0 means 1. A trained posterior is hardly ever wider than the prior, so the tangent is for the first steps:
    Adam moves every weight of a wide layer at once, and the KL would grow with the exponential of twice the sum of a
    row's and a column's number.

    >>> import torch
    >>> positive(torch.tensor([0.0, -1.0, 2.0, 3.0]))
    tensor([ 1.0000,  0.3679,  7.3891, 14.7781])
    """
    return raw.clamp(max=TANGENT_FROM).exp() * (raw - (TANGENT_FROM - 1)).clamp(min=1)


def independent_normals(loc: Tensor, scale: Tensor) -> Distribution:
    """N independent maps of independent normal sites: batch [B], event [N, h, w].

    The maps are nested (a map of h x w, N times) so that its KL divergence with a law over whole maps,
    such as a matrix normal, dispatches map by map.

    >>> import torch
    >>> independent_normals(torch.zeros(5, 2, 3, 3), torch.ones(5, 2, 3, 3)).event_shape
    torch.Size([2, 3, 3])
    """
    sites = Normal(loc, scale, validate_args=False)
    return Independent(Independent(sites, 2, validate_args=False), 1, validate_args=False)
