"""Flow matching: an ordinary differential equation that carries noise to codes, learned by regression."""

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
from spatialvae.priors.flow_matching.cells import Pull, PulledCells
from spatialvae.priors.flow_matching.conditioning import GROUPS
from spatialvae.priors.flow_matching.ode import LARGEST_EXACT, PROBES, Field, heun, heun_with_divergence, scale
from spatialvae.priors.flow_matching.velocity import velocity_network
from spatialvae.priors.gaussian import GaussianPrior
from spatialvae.priors.labels import Labels
from spatialvae.priors.signal import SignalVelocity
from spatialvae.priors.solver import Solver
from spatialvae.priors.trained import AbstractTrainedFamily, AbstractTrainedPrior, in_chunks, noise_log_prob

__all__ = ["FlowMatchingFamily", "FlowMatchingPrior"]

LABELS_DROPPED = 0.1
EDGE = 1e-5
"""Shares of the times at both ends that are taken as one."""


@PRIORS.register("flow-matching")
@dataclass(frozen=True)
class FlowMatchingFamily(AbstractTrainedFamily):
    """A network of `blocks` blocks with `width` hidden numbers; draws take `steps` steps of Heun's method.

    >>> FlowMatchingFamily(steps=40).spelled
    'flow-matching:steps=40'

    Args:
        width: default: 512, and for maps of more than 16 sites 64 channels, twice as many at half their size.
        blocks: default: 4, and for such maps 2 at each size.
        steps: each calls the network twice.
    """

    width: int | None = None
    blocks: int | None = None
    steps: int = 20

    title: ClassVar[str] = "the fitted flow matching"
    meaning: ClassVar[str] = "an ODE by flow matching: knows labels, fills in cells, density by the ODE"
    codes: ClassVar[int] = 600_000

    def __post_init__(self) -> None:
        near = None if self.width is None else max(GROUPS, self.width // GROUPS * GROUPS)
        if self.width != near:
            raise UserError(
                f"flow-matching:width={self.width} is no multiple of {GROUPS}: the nearest is width={near}."
            )
        for name in ("blocks", "steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"flow-matching:{name}={value} is not possible: use at least {name}=1.")

    def start(
        self, gaussian: GaussianPrior, classes: int, *, signal: Tensor | None = None, seed: int = 0
    ) -> FlowMatchingPrior:
        shape = gaussian.event_shape if signal is None else torch.Size((signal.shape[1], 1, 1))
        sizes = {"classes": classes, "width": self.width, "blocks": self.blocks}
        network = self.made(partial(velocity_network, shape, **sizes), gaussian.loc, seed)
        if signal is not None:
            network = SignalVelocity(signal.to(gaussian.loc), network)
        return FlowMatchingPrior(self, gaussian, network, classes=classes)


class FlowMatchingPrior(AbstractTrainedPrior):
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

    def __init__(
        self, family: FlowMatchingFamily, gaussian: GaussianPrior, network: nn.Module, *, classes: int
    ) -> None:
        super().__init__(family, gaussian, network)
        self.labels = Labels.numbered(classes)
        self.steps = family.steps

    def distribution(self, label: int | None, temperature: float, solver: Solver) -> FlowMatchingCodes:
        return FlowMatchingCodes(self, label, temperature, solver.steps or self.steps, solver.guidance)

    def loss(self, codes: Tensor, labels: Tensor | None, network: nn.Module | None = None) -> Tensor:
        """The squared error of the velocity at one random time for each code, summed over its numbers: [B].

        Times are logit-normal, t = 1 / (1 + exp(-n)) with n ~ N(0, 1) (Esser et al., 2024): most lie between noise and
        data, where the velocity is hardest to tell. Over the batch they fill that distribution evenly.

        A tenth of the labels is dropped, so that one network describes all codes and each class. Codes without a label
        (-1) speak for all codes alone, with a tenth of the weight of the others, a tenth of which speaks for it: each
        code counts in it as much as any other.
        """
        data = self.gaussian.whiten(codes)
        count = len(data)
        evenly = (torch.arange(count, device=data.device) + torch.rand(count, device=data.device)).to(data) / count
        time = torch.special.ndtri(evenly.clamp(EDGE, 1 - EDGE)).sigmoid()
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


class FlowMatchingCodes(AbstractCodeDistribution):
    """The codes of a flow-matching prior, from noise of a temperature, in steps.

    Args:
        label: the class; None: all.
        guidance: the w of `Solver`. None: the class as it is, and without one the network of all codes.
    """

    def __init__(
        self, prior: FlowMatchingPrior, label: int | None, temperature: float, steps: int, guidance: float | None
    ) -> None:
        self.prior, self.label, self.temperature, self.steps, self.guidance = prior, label, temperature, steps, guidance
        super().__init__(prior.event_shape)

    @property
    def mean(self) -> Tensor:
        return self.prior.gaussian.loc

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape = torch.Size(sample_shape)
        with torch.no_grad():
            white = in_chunks(self._solved, self._noise(shape.numel()))
            return self.prior.gaussian.colour(white).reshape(*shape, *self.event_shape)

    @torch.no_grad()
    def log_prob(self, value: Tensor) -> Tensor:
        """log N(u(0)) - int_0^1 div du - log|det colour| in nats, [*S], along the path that ends in the code.

        Exact up to the steps' error for codes of at most 64 numbers. Beyond, the divergence is Hutchinson's
        estimate with 4 random signs a number, unbiased for the equation in steps. Every code has signs of its own, from
        torch's global generator, and other ones at every call: the estimates' errors are independent, so that the
        standard error of a mean over codes holds them. It has no gradient.

        Raises:
            UserError: draws with guidance, whose classes are drawn too.
        """
        self._refuse_guidance("a density")
        return in_chunks(self._density, value.reshape(-1, *self.event_shape)).reshape(value.shape[:-3])

    def given_cells(self, code: Tensor, known: Tensor) -> Distribution:
        """Draws of whole codes that agree with `code` in the cells `known`; exact for a Gaussian, else by a pull.

        Args:
            code: [maps, height, width].
            known: bool [height, width].
        """
        self._refuse_guidance("draws given some cells")
        if not known.any():
            return self
        mean = self.prior.gaussian().given_cells(code, known).mean
        pull = Pull(self.prior.gaussian, code, known)
        return PulledCells(self._field(None), self._noise, self._times, pull, mean)

    @property
    def _times(self) -> list[float]:
        return [k / self.steps for k in range(self.steps + 1)]

    def _noise(self, count: int) -> Tensor:
        return self.prior.noise(count, self.temperature)

    def _solved(self, noise: Tensor) -> Tensor:
        """The whitened codes that noise [B, maps, h, w] is carried to."""
        classes = self._classes(len(noise)) if self.guidance is not None and self.label is None else None
        return heun(self._field(classes), noise, self._times)

    def _classes(self, count: int) -> Tensor:
        """A class for each of so many draws, as often as the classes are among the images."""
        labels, device = self.prior.labels, self.prior.gaussian.loc.device
        counts = [1] * len(labels) if labels.counts is None else labels.counts
        return torch.multinomial(torch.tensor(counts, dtype=torch.float32, device=device), count, replacement=True)

    def _field(self, classes: Tensor | None) -> Field:
        """du/dt for codes u [B, maps, h, w] of these classes [B], or all of the label."""
        network, label, weight = self.prior.network, self.label, self.guidance

        def field(u: Tensor, time: float) -> Tensor:
            times = u.new_full((len(u),), time)
            labels = torch.full((len(u),), label, device=u.device) if label is not None else classes
            if weight is None or weight == 1:
                return network(u, times, labels) / scale(time)
            assert labels is not None
            both = torch.cat([labels, torch.full_like(labels, self.prior.classes)])
            known, free = network(u.repeat(2, 1, 1, 1), times.repeat(2), both).chunk(2)
            return (free + weight * (known - free)) / scale(time)

        return field

    def _refuse_guidance(self, what: str) -> None:
        if self.guidance is not None:
            raise UserError(f"`guidance` {self.guidance:g} is for draws alone, not for {what}: leave it out.")

    def _density(self, codes: Tensor) -> Tensor:
        white = self.prior.gaussian.whiten(codes)
        probes = None
        if self.event_shape.numel() > LARGEST_EXACT:
            probes = torch.randint(0, 2, (PROBES, *white.shape)).to(white) * 2 - 1
        noise, spread = heun_with_divergence(self._field(None), white, self._times[::-1], probes)
        return noise_log_prob(noise, self.temperature) + spread - self.prior.gaussian.log_volume
