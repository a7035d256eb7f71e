"""Parts of one's own, each the text of a file outside the package, as a user would write it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from spatialvae.latents import LATENTS
from spatialvae.likelihoods import LIKELIHOODS
from spatialvae.registry import Registry

__all__ = ["LATENT", "LIKELIHOOD", "forgotten"]

REGISTRIES: tuple[Registry, ...] = (LATENTS, LIKELIHOODS)


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
    law = "independent Laplace sites"
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
