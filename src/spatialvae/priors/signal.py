"""The directions of codes that tell images apart: a network has to learn only those, the others hold noise alone.

Training leaves most numbers of a large code at their prior: q(z|x) is there the same for all images. Whitening
hides it, since it gives noise and signal the same variance.
"""

from __future__ import annotations

from abc import ABC
from typing import Any

import torch
from torch import Tensor, nn

from spatialvae.priors.codes import Codes
from spatialvae.priors.gaussian import GaussianPrior

__all__ = ["SignalFlow", "SignalVelocity", "signal_directions"]

SHARE = 0.05
"""Of a direction's variance, that must lie between images and not within q(z|x)."""
FEWEST = 2
"""Directions that are always kept, since a flow couples two."""


def signal_directions(codes: Codes, gaussian: GaussianPrior) -> Tensor:
    """Orthonormal directions B [numbers, k] of y = whiten(z) along which images differ, the strongest first.

    By the law of total variance the identity, y's covariance, is that of the means plus the mean of the covariances,

        I = Cov_x(E[y|x]) + E_x(Cov[y|x]),

    so that an eigenvalue r in [0, 1] of the first term is the share of a direction's variance that lies between images.
    Kept is r >= 0.05. For Gaussians a direction says -log(1 - r) / 2 nats of its image: those left out say less than
    0.026 each. Sums run in float64.
    """
    numbers = gaussian.loc.numel()
    total, products, count = torch.zeros(()), torch.zeros(()), 0
    for means in codes.means():
        flat = gaussian.whiten(means.to(gaussian.loc)).flatten(1).cpu().double()
        total, products, count = total + flat.sum(0), products + flat.mT @ flat, count + len(flat)
    mean = total / count
    shares, directions = torch.linalg.eigh(products / count - torch.outer(mean, mean))
    kept = max(min(FEWEST, numbers), int((shares >= SHARE).sum()))
    return directions.flip(1)[:, :kept].to(gaussian.loc)


class AbstractInSignal(nn.Module, ABC):
    """A network between directions of whitened codes.

    Args:
        basis: orthonormal directions [numbers, k].
        inner: a network over codes of shape [k, 1, 1].
    """

    basis: Tensor

    def __init__(self, basis: Tensor, inner: Any) -> None:
        super().__init__()
        self.register_buffer("basis", basis.clone().contiguous())
        self.inner = inner

    def _seen(self, codes: Tensor) -> Tensor:
        """B^T y, [B, k, 1, 1]."""
        with torch.autocast(codes.device.type, enabled=False):
            return (codes.flatten(1) @ self.basis)[..., None, None]

    def _placed(self, seen: Tensor, codes: Tensor) -> Tensor:
        """B s in the shape of `codes`."""
        with torch.autocast(codes.device.type, enabled=False):
            return (seen.flatten(1).to(self.basis) @ self.basis.mT).reshape(codes.shape)


class SignalVelocity(AbstractInSignal):
    """g(u, t, label) = B h(B^T u, t, label) with a velocity network h: other directions stay the noise they began as.

    >>> from spatialvae.priors.flow_matching.velocity import VelocityNetwork
    >>> inner = VelocityNetwork((3, 1, 1), classes=0, width=16, blocks=1)
    >>> network = SignalVelocity(torch.eye(18)[:, :3], inner)
    >>> network(torch.randn(5, 2, 3, 3), torch.rand(5), None).shape
    torch.Size([5, 2, 3, 3])
    """

    def forward(self, codes: Tensor, time: Tensor, labels: Tensor | None) -> Tensor:
        """g for codes of unit variance [B, maps, h, w], times [B] in [0, 1] and labels [B]."""
        return self._placed(self.inner(self._seen(codes), time, labels), codes)


class SignalFlow(AbstractInSignal):
    """f(y) = y + B (h(B^T y) - B^T y) with a flow h: |det df/dy| is that of h, since B is orthonormal.

    >>> from spatialvae.priors.flow.coupling import FlatFlow
    >>> flow = SignalFlow(torch.eye(18)[:, :4], FlatFlow((4, 1, 1), couplings=2, width=8))
    >>> noise, log_det = flow(codes := torch.randn(5, 2, 3, 3))
    >>> torch.allclose(flow.inverse(noise), codes, atol=1e-5), log_det.shape
    (True, torch.Size([5]))
    """

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Noise [B, maps, h, w] of whitened codes, and log|det| of the way there, [B]."""
        seen = self._seen(codes)
        noise, log_det = self.inner(seen)
        return codes + self._placed(noise - seen, codes), log_det

    def inverse(self, noise: Tensor) -> Tensor:
        """The whitened codes of noise, [B, maps, h, w]."""
        seen = self._seen(noise)
        return noise + self._placed(self.inner.inverse(seen) - seen, noise)
