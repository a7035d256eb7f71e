"""A file of one's own with two priors: one that is fitted to the codes, and one that is trained with the model."""

PRIORS_OF_ONES_OWN = '''
from dataclasses import dataclass
from typing import ClassVar

import torch

from spatialvae.latents.base import independent_normals
from spatialvae.priors import (
    PRIORS,
    AbstractCodeDistribution,
    AbstractDirectFamily,
    AbstractModelFamily,
    AbstractPrior,
)


class AboutTheMean(AbstractCodeDistribution):
    """N(mean, (T width)^2 I)."""

    def __init__(self, loc, scale):
        self.normal = independent_normals(loc, scale.expand(loc.shape))
        super().__init__(loc.shape)

    @property
    def mean(self):
        return self.normal.mean

    def sample(self, sample_shape=()):
        return self.normal.sample(torch.Size(sample_shape))

    def log_prob(self, value):
        return self.normal.log_prob(value)


class Ball(AbstractPrior):
    def __init__(self, family, loc):
        super().__init__(family, loc.shape)
        self.register_buffer("loc", loc)

    def distribution(self, label, temperature, solver):
        return AboutTheMean(self.loc, temperature * self.loc.new_tensor(self.family.width))


@PRIORS.register("ball")
@dataclass(frozen=True)
class BallFamily(AbstractDirectFamily):
    width: float = 1.0

    title: ClassVar[str] = "the ball about the mean"
    meaning: ClassVar[str] = "one Gaussian of one width"

    def fit(self, codes, *, progress=False):
        return Ball(self, torch.cat(list(codes.means())).mean(0).cpu()), ["The ball was fitted."]

    def restore(self, event_shape, tensors):
        return Ball(self, tensors["loc"])


class Drifting(torch.nn.Module):
    def __init__(self, event_shape, start):
        super().__init__()
        self.loc = torch.nn.Parameter(torch.full(event_shape, start))

    def forward(self):
        return independent_normals(self.loc, torch.ones_like(self.loc))


@PRIORS.register("drifting")
@dataclass(frozen=True)
class DriftingFamily(AbstractModelFamily):
    """N(m, I) with m trained with the model."""

    start: float = 0.0

    title: ClassVar[str] = "the drifting prior"
    meaning: ClassVar[str] = "N(m, I), m trained with the model"

    def module(self, latent):
        return Drifting(latent.event_shape, self.start)
'''
