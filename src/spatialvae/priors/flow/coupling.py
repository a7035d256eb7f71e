"""Invertible networks whose sampling is as fast as their density: couplings, which change one half given the other."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from spatialvae.globals import globals_kept
from spatialvae.runtime.precision import unrounded

with globals_kept():  # zuko stops torch.distributions from checking arguments, for the whole process
    from zuko.flows.coupling import GeneralCouplingTransform
    from zuko.transforms import MonotonicAffineTransform

__all__ = ["CouplingStep", "FlatFlow", "MapFlow", "seen_flat"]

SMALL_MAP = 16
"""Sites of a map up to which a network sees the flattened code; beyond, it is a convolution."""
LARGEST_LOG_SCALE = 2.0
SMALLEST_SLOPE = 1e-2
"""And its inverse the largest: what an affine coupling multiplies a number by."""


def seen_flat(event_shape: tuple[int, ...]) -> bool:
    """Whether networks see the numbers of such a code as one row: its maps have at most 16 sites.

    >>> seen_flat((128, 3, 3)), seen_flat((64, 8, 8))
    (True, False)
    """
    _, height, width = event_shape
    return height * width <= SMALL_MAP


class FlatFlow(nn.Module):
    """Couplings over all numbers of a code as one row; the identity at the start.

    Each coupling changes a random half of the numbers by affine functions, whose parameters are functions of the
    others. Splines in their place cost seven times as much for the same gain when they were tried.

    Dinh et al., "Density estimation using Real NVP", 2017; couplings and affine functions are zuko's.

    >>> flow = FlatFlow((2, 1, 2), couplings=2, width=8)
    >>> noise, log_det = flow(torch.ones(3, 2, 1, 2))
    >>> torch.allclose(noise, torch.ones(3, 2, 1, 2)), log_det.shape
    (True, torch.Size([3]))
    """

    def __init__(self, event_shape: tuple[int, int, int], *, couplings: int, width: int) -> None:
        super().__init__()
        numbers = math.prod(event_shape)
        # Halves in pairs, so that what one coupling leaves alone the next one changes.
        orders = [torch.randperm(numbers) for _ in range(couplings)]
        masks = [orders[k // 2] % 2 == k % 2 for k in range(couplings)]
        self.couplings = nn.ModuleList(_coupling(mask, width) for mask in masks)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Noise [B, maps, h, w] of whitened codes, and log|det| of the way there, [B]."""
        seen = codes.flatten(1)
        total = seen.new_zeros(len(seen))
        for coupling in self.couplings:
            seen, log_det = coupling().call_and_ladj(seen)
            total = total + log_det
        return seen.reshape(codes.shape), total

    def inverse(self, noise: Tensor) -> Tensor:
        """The whitened codes of noise, [B, maps, h, w]."""
        seen = noise.flatten(1)
        for coupling in reversed(self.couplings):
            seen = coupling().inv(seen)
        return seen.reshape(noise.shape)


class MapFlow(nn.Module):
    """Affine couplings between two halves of the maps, a fixed rotation of the maps before each.

    Rotations do not change N(0, I), so that the start is N(0, I). A single map is halved like a chessboard.

    Dinh et al., "Density estimation using Real NVP", 2017; Kingma and Dhariwal, "Glow", 2018.

    >>> flow = MapFlow((4, 5, 5), couplings=2, width=32).float()
    >>> noise, log_det = flow(codes := torch.randn(3, 4, 5, 5))
    >>> torch.allclose(flow.inverse(noise), codes, atol=1e-5), log_det.tolist()
    (True, [0.0, 0.0, 0.0])
    """

    def __init__(self, event_shape: tuple[int, int, int], *, couplings: int, width: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(CouplingStep(event_shape, width, odd=k % 2 == 1) for k in range(couplings))

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Noise [B, maps, h, w] of whitened codes, and log|det| of the way there, [B]."""
        total = codes.new_zeros(len(codes))
        for step in self.steps:
            codes, log_det = step(codes)
            total = total + log_det
        return codes, total

    def inverse(self, noise: Tensor) -> Tensor:
        """The whitened codes of noise, [B, maps, h, w]."""
        for step in reversed(self.steps):
            assert isinstance(step, CouplingStep)
            noise = step.inverse(noise)
        return noise


class CouplingStep(nn.Module):
    """x = Q codes;  changed = exp(s(kept)) * x + t(kept) on one half, |s| <= 2; s = t = 0 at the start.

    The first half of the rotated maps is kept; of a single map, the cells of one colour of a chessboard.
    """

    rotation: Tensor
    kept: Tensor

    def __init__(self, event_shape: tuple[int, int, int], width: int, *, odd: bool) -> None:
        super().__init__()
        maps, height, width_of_map = event_shape
        # In float64 until the prior says otherwise: its determinant counts as 1.
        self.register_buffer("rotation", nn.init.orthogonal_(torch.empty(maps, maps, dtype=torch.float64)))
        self.read = maps // 2
        cells = torch.arange(height)[:, None] + torch.arange(width_of_map)
        self.register_buffer("kept", (cells % 2 == int(odd)).double(), persistent=False)
        self.network = _convolutions(max(1, self.read), maps - self.read, width)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        seen = self._rotated(codes, self.rotation)
        log_scale, shift = self._affine(seen)
        return seen * log_scale.exp() + shift, log_scale.flatten(1).sum(1)

    def inverse(self, noise: Tensor) -> Tensor:
        log_scale, shift = self._affine(noise)  # what it reads is what it keeps
        return self._rotated((noise - shift) * (-log_scale).exp(), self.rotation.mT)

    def _affine(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """The log-scale and shift of every number, 0 where it is kept."""
        outputs = self.network(seen[:, : self.read] if self.read else seen * self.kept).to(seen.dtype)
        raw, shift = outputs.reshape(len(seen), 2, -1, *seen.shape[2:]).unbind(1)
        log_scale = LARGEST_LOG_SCALE * torch.tanh(raw / LARGEST_LOG_SCALE)
        if not self.read:
            return (1 - self.kept) * log_scale, (1 - self.kept) * shift
        front = (0, 0, 0, 0, self.read, 0)
        return nn.functional.pad(log_scale, front), nn.functional.pad(shift, front)

    def _rotated(self, codes: Tensor, rotation: Tensor) -> Tensor:
        with torch.autocast(codes.device.type, enabled=False):
            return torch.einsum("ij,bjhw->bihw", rotation, codes)


def _coupling(mask: Tensor, width: int) -> GeneralCouplingTransform:
    """An affine function of the numbers where `mask` is false, with shift and scale from the others; the identity."""
    coupling = GeneralCouplingTransform(
        len(mask),
        mask=mask,  # pyright: ignore[reportArgumentType]
        univariate=partial(MonotonicAffineTransform, slope=SMALLEST_SLOPE),
        shapes=[torch.Size([])] * 2,  # shift and scale
        hidden_features=(width, width),
        activation=nn.SiLU,
    )
    _zero(coupling.hyper[-1])
    coupling.hyper.append(_Unrounded())
    return coupling


class _Unrounded(nn.Module):
    """float32 in place of a shorter format: a network may multiply in bf16, functions and densities of it may not."""

    def forward(self, values: Tensor) -> Tensor:
        return unrounded(values)


def _convolutions(read: int, changed: int, width: int) -> nn.Sequential:
    """From `read` maps to two numbers for every number of `changed` maps, site by site, from neighbouring sites."""
    channels = max(8, width // 4)
    first, last = nn.Conv2d(read, channels, 3, padding=1), _zero(nn.Conv2d(channels, 2 * changed, 3, padding=1))
    return nn.Sequential(first, nn.SiLU(), nn.Conv2d(channels, channels, 1), nn.SiLU(), last)


def _zero(layer: nn.Module) -> nn.Module:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
