"""A normalising flow over codes: an invertible network between whitened codes and noise, with an exact density."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from spatialvae.errors import UserError
from spatialvae.priors.base import PRIORS
from spatialvae.priors.code_distribution import AbstractCodeDistribution
from spatialvae.priors.flow.coupling import FlatFlow, MapFlow, seen_flat
from spatialvae.priors.gaussian import GaussianPrior
from spatialvae.priors.signal import SignalFlow
from spatialvae.priors.solver import Solver
from spatialvae.priors.trained import AbstractTrainedFamily, AbstractTrainedPrior, in_chunks, noise_log_prob

__all__ = ["FlowFamily", "FlowPrior"]


@PRIORS.register("flow")
@dataclass(frozen=True)
class FlowFamily(AbstractTrainedFamily):
    """`couplings` couplings, each with a network of `width` hidden numbers; over large maps, of width/4 channels.

    Maps of at most 16 sites are seen as one row of numbers; larger ones are coupled as maps.

    >>> FlowFamily(couplings=8).spelled
    'flow:couplings=8'
    """

    couplings: int = 12
    width: int = 256

    title: ClassVar[str] = "the fitted flow"
    meaning: ClassVar[str] = "normalising flow: an invertible network, exact density"
    codes: ClassVar[int] = 120_000

    def __post_init__(self) -> None:
        if self.couplings < 2:
            raise UserError(f"flow:couplings={self.couplings} is not possible: use at least couplings=2.")
        if self.width < 8:
            raise UserError(f"flow:width={self.width} is not possible: use at least width=8.")

    def start(self, gaussian: GaussianPrior, classes: int, *, signal: Tensor | None = None, seed: int = 0) -> FlowPrior:
        if gaussian.loc.numel() == 1:
            raise UserError("A flow couples at least two numbers, and these codes have one: use gaussian or mixture.")
        shape = gaussian.event_shape if signal is None else torch.Size((signal.shape[1], 1, 1))
        kind = FlatFlow if seen_flat(shape) else MapFlow
        network = self.made(partial(kind, shape, couplings=self.couplings, width=self.width), gaussian.loc, seed)
        return FlowPrior(self, gaussian, network if signal is None else SignalFlow(signal.to(gaussian.loc), network))


class FlowPrior(AbstractTrainedPrior):
    """y = whiten(z) = f^-1(e), e ~ N(0, I), with the exact density

        log p(z) = log N(f(y); 0, I) + log|det df/dy| - log|det colour|.

    It knows no labels.
    """

    def loss(self, codes: Tensor, labels: Tensor | None, network: nn.Module | None = None) -> Tensor:
        """-log p(z) in nats, [B]."""
        return -self.density(codes, self.network if network is None else network, 1.0)

    def distribution(self, label: int | None, temperature: float, solver: Solver) -> FlowCodes:
        return FlowCodes(self, temperature)

    def density(self, codes: Tensor, network: nn.Module, temperature: float) -> Tensor:
        """log p(z) in nats of codes [B, maps, h, w], with the noise e of that temperature: [B]."""
        noise, log_det = network(self.gaussian.whiten(codes))
        return noise_log_prob(noise, temperature) + log_det - self.gaussian.log_volume


class FlowCodes(AbstractCodeDistribution):
    """The codes of a flow whose noise has the standard deviation `temperature`."""

    def __init__(self, prior: FlowPrior, temperature: float) -> None:
        self.prior, self.temperature = prior, temperature
        super().__init__(prior.event_shape)

    @property
    def mean(self) -> Tensor:
        return self.prior.gaussian.loc

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape, prior = torch.Size(sample_shape), self.prior
        with torch.no_grad():
            noise = prior.noise(shape.numel(), self.temperature)
            white = in_chunks(prior.network.inverse, noise)  # pyright: ignore[reportArgumentType]
            return prior.gaussian.colour(white).reshape(*shape, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        flat = value.reshape(-1, *self.event_shape)
        return in_chunks(self._density, flat).reshape(value.shape[:-3])

    def _density(self, codes: Tensor) -> Tensor:
        return self.prior.density(codes, self.prior.network, self.temperature)
