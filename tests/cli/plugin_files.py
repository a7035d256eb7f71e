"""Parts of one's own, each the text of a file outside the package, as a user would write it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from spatialvae.data.sources import SOURCES
from spatialvae.latents import LATENTS
from spatialvae.likelihoods import LIKELIHOODS
from spatialvae.metrics import METRICS
from spatialvae.networks import NETWORKS
from spatialvae.priors import PRIORS
from spatialvae.registry import Registry

__all__ = ["LATENT", "LIKELIHOOD", "NETWORK", "SOURCE", "forgotten"]

REGISTRIES: tuple[Registry, ...] = (LATENTS, LIKELIHOODS, METRICS, NETWORKS, PRIORS, SOURCES)


@contextmanager
def forgotten() -> Iterator[None]:
    """Parts and plugins that are registered inside are gone afterwards, as at the end of a process."""
    parts = [dict(registry._parts) for registry in REGISTRIES]
    modules = set(sys.modules)
    try:
        yield
    finally:
        for registry, before in zip(REGISTRIES, parts, strict=True):
            registry._parts.clear()
            registry._parts.update(before)
        for name in set(sys.modules) - modules:
            if name.startswith("spatialvae_plugin_"):
                del sys.modules[name]


LATENT = '''
from dataclasses import dataclass

from torch.distributions import Distribution, Independent, Laplace

from spatialvae.latents import LATENTS, AbstractLatent


@LATENTS.register("narrow")
@dataclass(frozen=True)
class Narrow(AbstractLatent):
    """Laplace sites of one scale."""

    width_of_noise: float = 1.0
    description = "independent Laplace sites"
    equation = "F_k[i,j] ~ Laplace(M_k[i,j], b)"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"loc": self.event_shape}

    def distribution(self, parameters) -> Distribution:
        loc = parameters["loc"]
        return Independent(Laplace(loc, loc.new_tensor(self.width_of_noise), validate_args=False), 3)
'''

LIKELIHOOD = '''
from spatialvae.likelihoods import LIKELIHOODS, AbstractLikelihood, Gaussian


@LIKELIHOODS.register("unit-gaussian")
class UnitGaussian(AbstractLikelihood):
    """N(tanh(output), scale^2)."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.inner = Gaussian(scale)

    def forward(self, output):
        return self.inner(output)
'''

NETWORK = '''
from dataclasses import dataclass

from torch import nn

from spatialvae.networks import NETWORKS, AbstractNetworks


@NETWORKS.register("small")
@dataclass(frozen=True)
class Small(AbstractNetworks):
    """A layer for each half; `stray` rows too many make a decoder that does not fit."""

    width: int = 4
    stray: int = 0

    def encoder(self, image_shape, code_shape, grid):
        return nn.Sequential(nn.Conv2d(image_shape[0], self.width, 3, 2, 1), nn.ReLU())

    def decoder(self, code_shape, output_shape, grid):
        outputs, height, width = output_shape
        layer = nn.Conv2d(code_shape[0], outputs, 3, 1, 1)
        return nn.Sequential(nn.Upsample((height + self.stray, width)), layer)
'''

SOURCE = '''
import numpy as np

from spatialvae.data.sources import SOURCES, AbstractSource, Record


@SOURCES.register("ramps")
class Ramps(AbstractSource):
    """Pictures that grow lighter from left to right."""

    name = "ramps"

    def __init__(self, count: int = 60) -> None:
        self.count = self.total = count

    def identity(self, cache):
        return f"ramps {self.count}"

    def records(self):
        for row in range(self.count):
            yield Record(f"ramp {row}", np.tile(np.arange(8, dtype=np.uint8) * 20 + row, (1, 8, 1)))
'''
