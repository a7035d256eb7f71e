"""Filling in cells with a flow-matching prior: the velocity is pulled so that the codes end up where some are known."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from spatialvae.priors.flow_matching.ode import Field, heun, scale
from spatialvae.priors.gaussian import GaussianPrior
from spatialvae.priors.trained import in_chunks

__all__ = ["Pull", "PulledCells"]

FIRST_TIME = 1e-2
"""The pull through the network is divided by the time, at least this."""


class Pull:
    """q(y) = R_k^T C_kk^-1 (z_k - colour(y)_k): the least change of whitened codes y that puts the known numbers right.

    R is the symmetric root of the Gaussian's covariance C, k the known numbers. For codes with a covariance of maps and
    one of sites, C_kk is their product too, since a known cell is known in all maps.

    Args:
        gaussian: what whitens the codes.
        code: [maps, h, w].
        known: bool [h, w].

    >>> from spatialvae.priors.gaussian import GaussianFamily
    >>> from spatialvae.priors.normal import CodeNormal
    >>> gaussian = GaussianPrior(GaussianFamily(), CodeNormal(torch.zeros(1, 1, 2), (2 * torch.eye(2),)))
    >>> Pull(gaussian, torch.ones(1, 1, 2), torch.tensor([[True, False]]))(torch.zeros(1, 1, 1, 2))
    tensor([[[[0.5000, 0.0000]]]])
    """

    def __init__(self, gaussian: GaussianPrior, code: Tensor, known: Tensor) -> None:
        self._gaussian, self._known, self._code = gaussian, known.to(gaussian.loc.device), code.to(gaussian.loc)
        maps = len(code)
        cells, factors = self._known.flatten(), gaussian.normal.factors
        if len(factors) == 1:
            self._rows, inside, outer = 1, cells.repeat(maps), factors[0]
            self._maps = torch.ones_like(factors[0][:1, :1])
        else:
            self._rows, inside, outer = maps, cells, reduce(torch.kron, factors[1:])
            self._maps = factors[0]
        self._inner = torch.linalg.cholesky((outer @ outer.mT)[inside][:, inside])

    def __call__(self, white: Tensor) -> Tensor:
        """q for codes [B, maps, h, w]."""
        misfit = (self._code - self._gaussian.colour(white))[..., self._known]
        rows = misfit.reshape(len(misfit), self._rows, -1)
        solved = torch.cholesky_solve(torch.cholesky_solve(rows, self._maps).mT, self._inner).mT
        known = torch.zeros_like(white)
        known[..., self._known] = solved.reshape(misfit.shape)
        return self._gaussian.colour(known) - self._gaussian.loc  # R is symmetric

    def settled(self, white: Tensor) -> Tensor:
        """The codes of whitened ones, [B, maps, h, w], with the known cells as they are known to the last bit."""
        return torch.where(self._known, self._code, self._gaussian.colour(white))


class PulledCells(Distribution):
    """Codes that agree with a code in its known cells: event [maps, height, width].

    The velocity of an unconditional path gets (1 - t)/t grad_x log p(z_k | x_t), the known numbers being near

        N(colour(x1)_k, r^2 C_kk),  x1 = x + (1 - t) v(x, t),  r^2 = (1 - t)^2 / s^2,

    which is exact for a Gaussian, and a weaker pull than the true one where codes spread less around x1 than a
    Gaussian's would (Song et al., "Pseudoinverse-guided diffusion models", 2023; Pokle et al., 2024, for flow
    matching). In u = x / s, with q = `pull`(x1) and the Jacobian J = dg/du of the network,

        du/dt = (g + q / (1 - t) + s/t J^T q) / s.

    Args:
        field: du/dt = g / s without the pull.
        noise: draws so many codes at time 0.
        times: of the steps, from 0 to 1.
        pull: towards the known cells.
        mean: of the Gaussian, given the same cells.
    """

    support = constraints.independent(constraints.real, 3)  # pyright: ignore

    def __init__(
        self, field: Field, noise: Callable[[int], Tensor], times: list[float], pull: Pull, mean: Tensor
    ) -> None:
        self._field, self._noise, self._times, self._pull, self._mean = field, noise, times, pull, mean
        super().__init__(torch.Size(), mean.shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None: a field and a code, which no single constraint says."""
        return {}

    @property
    def mean(self) -> Tensor:
        """The mean of the Gaussian that the prior began as, given the same cells."""
        return self._mean

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape = torch.Size(sample_shape)
        with torch.inference_mode(False), torch.no_grad():
            return in_chunks(self.drawn_from, self._noise(shape.numel())).reshape(*shape, *self.event_shape)

    def drawn_from(self, noise: Tensor) -> Tensor:
        """The codes that noise [B, maps, h, w] is carried to."""
        u, last = heun(self._pulled, noise, self._times[:-1]), self._times[-2]
        # The pull grows without bound: in the last step it goes the whole way, from where the step would have led.
        slope, misfit, through = self._parts(u, last, lambda slope: u + (1 - last) * slope)
        bent = (1 - last) * scale(last) ** 2 / max(last, FIRST_TIME) * through
        return self._pull.settled(u + (1 - last) * slope + misfit + bent)

    def _pulled(self, u: Tensor, time: float) -> Tensor:
        size = scale(time)
        end = time / size * u
        slope, misfit, through = self._parts(u, time, lambda slope: end + (1 - time) * size * slope)
        return slope + misfit / ((1 - time) * size) + size / max(time, FIRST_TIME) * through

    def _parts(self, u: Tensor, time: float, end: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """g / s, the pull q at the code that `end` makes of it, and J^T q / s."""
        with torch.enable_grad():
            u = u.detach().requires_grad_()
            slope = self._field(u, time)
            misfit = self._pull(end(slope.detach()))
            (through,) = torch.autograd.grad(slope, u, misfit)
        return slope.detach(), misfit, through
