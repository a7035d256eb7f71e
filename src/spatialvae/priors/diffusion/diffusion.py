"""A diffusion prior: an ordinary differential equation that carries noise to codes, learned by flow matching."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from spatialvae.errors import UserError
from spatialvae.priors.base import PRIORS
from spatialvae.priors.code_distribution import AbstractCodeDistribution
from spatialvae.priors.diffusion.guidance import GuidedCells, Pull
from spatialvae.priors.diffusion.ode import LARGEST_EXACT, PROBES, Field, heun, heun_with_divergence, scale
from spatialvae.priors.diffusion.velocity import GROUPS, VelocityNetwork
from spatialvae.priors.gaussian import GaussianPrior
from spatialvae.priors.labels import Labels
from spatialvae.priors.signal import SignalVelocity
from spatialvae.priors.trained import AbstractTrainedFamily, AbstractTrainedPrior, in_chunks, noise_log_prob

__all__ = ["DiffusionFamily", "DiffusionPrior"]

LABELS_DROPPED = 0.1


@PRIORS.register("diffusion")
@dataclass(frozen=True)
class DiffusionFamily(AbstractTrainedFamily):
    """A network of `blocks` blocks with `width` hidden numbers; draws take `steps` steps of Heun's method.

    >>> DiffusionFamily(steps=40).spelled
    'diffusion:steps=40'
    """

    width: int = 512
    blocks: int = 4
    steps: int = 20

    title: ClassVar[str] = "the fitted diffusion"
    meaning: ClassVar[str] = "diffusion by flow matching: knows labels, fills in cells, density by an ODE"
    codes: ClassVar[int] = 600_000

    def __post_init__(self) -> None:
        near = max(GROUPS, self.width // GROUPS * GROUPS)
        if self.width != near:
            raise UserError(f"diffusion:width={self.width} is no multiple of {GROUPS}: the nearest is width={near}.")
        for name in ("blocks", "steps"):
            if getattr(self, name) < 1:
                raise UserError(f"diffusion:{name}={getattr(self, name)} is not possible: use at least {name}=1.")

    def start(
        self, gaussian: GaussianPrior, classes: int, *, signal: Tensor | None = None, seed: int = 0
    ) -> DiffusionPrior:
        shape = gaussian.event_shape if signal is None else torch.Size((signal.shape[1], 1, 1))
        sizes = {"classes": classes, "width": self.width, "blocks": self.blocks}
        network = self.made(partial(VelocityNetwork, shape, **sizes), gaussian.loc, seed)
        if signal is not None:
            network = SignalVelocity(signal.to(gaussian.loc), network)
        return DiffusionPrior(self, gaussian, network, classes=classes)


class DiffusionPrior(AbstractTrainedPrior):
    """Codes y = whiten(z) = x(1) at the end of dx/dt = v(x, t), x(0) = e ~ N(0, I).

    v is learned on straight lines x_t = (1 - t) e + t y by the mean squared error of v(x_t, t) - (y - e): conditional
    flow matching (Lipman et al., 2023). With s(t)^2 = t^2 + (1 - t)^2 the velocity is

        v(x, t) = (2t - 1) / s^2 x + g(x / s, t),

    of which the first part is that of y ~ N(0, I) and only g is a network. In u = x / s this reads du/dt = g(u, t) / s,
    so that the Gaussian part is exact for any number of steps, and the prior with g = 0 is the Gaussian.

    Args:
        classes: how many labels the network knows, 0 for none.
    """

    scored: ClassVar[int] = 256
    takes_steps: ClassVar[bool] = True

    def __init__(self, family: DiffusionFamily, gaussian: GaussianPrior, network: nn.Module, *, classes: int) -> None:
        super().__init__(family, gaussian, network)
        self.labels = Labels.numbered(classes)
        self.steps = family.steps

    def distribution(self, label: int | None, temperature: float, steps: int | None) -> DiffusionCodes:
        return DiffusionCodes(self, label, temperature, steps or self.steps)

    def loss(self, codes: Tensor, labels: Tensor | None, network: nn.Module | None = None) -> Tensor:
        """The squared error of the velocity at one random time for each code, summed over its numbers: [B].

        Times fill [0, 1] evenly over the batch. A tenth of the labels is dropped, so that one network describes
        all codes and each class. Codes without a label (-1) speak for all codes alone, with a tenth of
        the weight of the others, a tenth of which speaks for it: each code counts in it as much as any other.
        """
        data = self.gaussian.whiten(codes)
        count = len(data)
        time = (torch.arange(count, device=data.device) + torch.rand(count, device=data.device)).to(data) / count
        noise, weight = torch.randn_like(data), data.new_ones(count)
        if self.classes and labels is not None:
            dropped = torch.rand(count, device=data.device) < LABELS_DROPPED
            weight = torch.where(labels < 0, LABELS_DROPPED, 1.0).to(data)
            labels = torch.where(dropped | (labels < 0), self.classes, labels.long())
        t = time[:, None, None, None]
        size = scale(t)
        unit = ((1 - t) * noise + t * data) / size
        wanted = data - noise - (2 * t - 1) / size * unit
        network = self.network if network is None else network
        missed = network(unit, time, labels if self.classes else None) - wanted
        return weight * missed.square().flatten(1).sum(1)


class DiffusionCodes(AbstractCodeDistribution):
    """The codes of a diffusion prior: those of one label (None: of all), from noise of a temperature, in steps."""

    def __init__(self, prior: DiffusionPrior, label: int | None, temperature: float, steps: int) -> None:
        self.prior, self.label, self.temperature, self.steps = prior, label, temperature, steps
        super().__init__(prior.event_shape)

    @property
    def mean(self) -> Tensor:
        return self.prior.gaussian.loc

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape = torch.Size(sample_shape)
        with torch.no_grad():
            white = in_chunks(lambda noise: heun(self._field, noise, self._times), self._noise(shape.numel()))
            return self.prior.gaussian.colour(white).reshape(*shape, *self.event_shape)

    @torch.no_grad()
    def log_prob(self, value: Tensor) -> Tensor:
        """log N(u(0)) - int_0^1 div du - log|det colour| in nats, [*S], along the path that ends in the code.

        Exact up to the steps' error for codes of at most 64 numbers. Beyond, the divergence is Hutchinson's
        estimate with 4 random signs a number, unbiased for the equation in steps. Every code has signs of its own, from
        torch's global generator, and other ones at every call: the estimates' errors are independent, so that the
        standard error of a mean over codes holds them. It has no gradient.
        """
        return in_chunks(self._density, value.reshape(-1, *self.event_shape)).reshape(value.shape[:-3])

    def given_cells(self, code: Tensor, known: Tensor) -> Distribution:
        """Draws of whole codes that agree with `code` in the cells `known`; exact for a Gaussian, else by guidance.

        Args:
            code: [maps, height, width].
            known: bool [height, width].
        """
        if not known.any():
            return self
        mean = self.prior.gaussian().given_cells(code, known).mean
        pull = Pull(self.prior.gaussian, code, known)
        return GuidedCells(self._field, self._noise, self._times, pull, mean)

    @property
    def _times(self) -> list[float]:
        return [k / self.steps for k in range(self.steps + 1)]

    def _noise(self, count: int) -> Tensor:
        return self.prior.noise(count, self.temperature)

    @property
    def _field(self) -> Field:
        """du/dt for codes u [B, maps, h, w]."""
        label = self.label

        def field(u: Tensor, time: float) -> Tensor:
            times = u.new_full((len(u),), time)
            labels = None if label is None else torch.full((len(u),), label, device=u.device)
            return self.prior.network(u, times, labels) / scale(time)

        return field

    def _density(self, codes: Tensor) -> Tensor:
        white = self.prior.gaussian.whiten(codes)
        probes = None
        if self.event_shape.numel() > LARGEST_EXACT:
            probes = torch.randint(0, 2, (PROBES, *white.shape)).to(white) * 2 - 1
        noise, spread = heun_with_divergence(self._field, white, self._times[::-1], probes)
        return noise_log_prob(noise, self.temperature) + spread - self.prior.gaussian.log_volume
