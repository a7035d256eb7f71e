"""The masses that logistics put on values' bins, with their derivatives: made together, in few passes over the pixels.

Plain operations would keep the results of some thirty passes for the gradient. Here the derivatives are made beside the
masses, from numbers that both need, and the gradient only multiplies them.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from spatialvae.likelihoods.base import HALF_BIN
from spatialvae.runtime.precision import unrounded

__all__ = ["logistic_log_mass", "mixture_log_mass"]

STEEP = 40.0
"""log F(a) is a below -STEEP and 0 above STEEP, to the last digit of float64: e^-40 is below 2^-53."""
IN_CACHE = 2**16
"""Numbers a tensor on a CPU: images go through all steps in groups of so many, which stay in a core's own cache."""


class _Masses(NamedTuple):
    """log [F(a) - F(b)], a = centred + half and b = centred - half, and its derivatives in both."""

    log_mass: Tensor
    by_centred: Tensor | None
    by_half: Tensor | None


def logistic_log_mass(loc: Tensor, scale: Tensor, value: Tensor, half_bin: float = HALF_BIN) -> Tensor:
    """log of the mass that a logistic puts on each value's bin, elementwise, in nats; in float32 at least.

    It can be differentiated once.

    Args:
        loc: centres.
        scale: broadcasts.
        value: levels in [-1, 1], which the bins of the first and the last go beyond.
        half_bin: half the distance of two levels.

    >>> levels = torch.linspace(-1, 1, 4, dtype=torch.float64)
    >>> loc, scale = torch.tensor(0.3, dtype=torch.float64), torch.tensor(0.1, dtype=torch.float64)
    >>> logistic_log_mass(loc, scale, levels, half_bin=1 / 3).exp().sum().round(decimals=10)
    tensor(1., dtype=torch.float64)
    """
    parts = (unrounded(loc), unrounded(scale), value)
    return _LogisticLogMass.apply(*parts, half_bin, _learns(*parts))[0]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportReturnType, reportIndexIssue, reportOptionalSubscript]


def mixture_log_mass(
    log_weights: Tensor, loc: Tensor, scale: Tensor, coefficients: Tensor, value: Tensor, half_bin: float = HALF_BIN
) -> Tensor:
    """log of the mass that a mixture of logistics puts on each pixel's values, [... H W], in nats.

        log P(x) = log sum_k w_k prod_c [F(a_kc) - F(b_kc)],   a, b = (x_c - m_kc - sum_(j < c) t_kcj x_j +- h) / s_kc

    It can be differentiated once.

    Args:
        log_weights: log w, [... K H W].
        loc: m, [... K C H W].
        scale: s, [... K C H W].
        coefficients: t of channel c on channel j < c, in the order (1, 0), (2, 0), (2, 1), ..., [... K C(C-1)/2 H W].
        value: x, [... C H W]; leading axes broadcast.
        half_bin: h, half the distance of two levels.

    >>> weights, loc = torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1, 1)  # one component, one channel, one pixel
    >>> black_and_white = torch.tensor([-1.0, 1.0]).reshape(2, 1, 1, 1)
    >>> mixture_log_mass(weights, loc, loc + 1, loc[:, :, :0], black_and_white, half_bin=1.0).exp().flatten()
    tensor([0.5000, 0.5000])
    """
    leading: list[int] = list(torch.broadcast_shapes(value.shape[:-3], loc.shape[:-4]))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    parts = [
        part.expand(*leading, *part.shape[-axes:]).flatten(0, len(leading) - 1) if leading else part[None]
        for part, axes in ((log_weights, 3), (loc, 4), (scale, 4), (coefficients, 4), (value, 3))
    ]
    mass = _MixtureLogMass.apply(*parts, half_bin, _learns(*parts))[0]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportIndexIssue, reportOptionalSubscript]
    return mass.reshape(*leading, *mass.shape[-2:])  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


class _LogisticLogMass(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        loc: Tensor, scale: Tensor, value: Tensor, half_bin: float, slopes: bool
    ) -> tuple[Tensor, ...]:
        centred, half = (value - loc) / scale, half_bin / scale
        log_mass, by_centred, by_half = _masses(centred, half, value, half_bin, slopes)
        if by_centred is None or by_half is None:
            return (log_mass,)
        by_scale = by_half.mul_(half).add_(centred.mul_(by_centred)).div_(scale).neg_()
        return log_mass, by_centred.div_(scale).neg_(), by_scale

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*output[1:], *inputs[:3])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        by_loc, by_scale, *given = ctx.saved_tensors
        of_loc, of_scale = _once(by_loc, *given) * gradient, _once(by_scale, *given) * gradient
        shapes = [part.shape for part in given]
        of_value = -of_loc.sum_to_size(shapes[2]) if ctx.needs_input_grad[2] else None
        return of_loc.sum_to_size(shapes[0]), of_scale.sum_to_size(shapes[1]), of_value, None, None


class _MixtureLogMass(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        log_weights: Tensor,
        loc: Tensor,
        scale: Tensor,
        coefficients: Tensor,
        value: Tensor,
        half_bin: float,
        slopes: bool,
    ) -> tuple[Tensor, ...]:
        given, size = (log_weights, loc, scale, coefficients, value), max(1, len(loc))
        if loc.device.type == "cpu" and not torch.compiler.is_compiling():
            size = max(1, IN_CACHE * len(loc) // max(1, loc.numel()))
        starts = range(0, max(1, len(loc)), size)
        results = [
            _mixture_masses([part[start : start + size] for part in given], half_bin, slopes) for start in starts
        ]
        return tuple(torch.cat(parts) for parts in zip(*results, strict=True))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*output[1:], *inputs[:5])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        slopes, given = ctx.saved_tensors[:4], ctx.saved_tensors[4:]
        of_weights, of_loc, of_scale, of_coefficients = (
            _once(slope, *given) * gradient.reshape(len(gradient), *(1,) * (slope.ndim - 3), *gradient.shape[-2:])
            for slope in slopes
        )
        of_value = None
        if ctx.needs_input_grad[4]:
            of_value = -of_loc
            for place, (channel, before) in enumerate(_pairs(of_loc.shape[2])):
                of_value[:, :, before] += of_loc[:, :, channel] * given[3][:, :, place]
            of_value = of_value.sum(1)
        return of_weights, of_loc, of_scale, of_coefficients, of_value, None, None


class _Once(torch.autograd.Function):
    """A derivative that knows what it depends on: to differentiate it again is refused, not taken for 0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(derivative: Tensor, *_: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return derivative.view_as(derivative)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Nothing is needed to refuse."""

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise RuntimeError("The mass of a logistic likelihood can be differentiated once, not twice.")


def _once(derivative: Tensor, *given: Tensor) -> Tensor:
    if not torch.is_grad_enabled() or torch.compiler.is_compiling():  # what is compiled refuses by itself
        return derivative
    return _Once.apply(derivative, *given)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportReturnType]


def _mixture_masses(given: list[Tensor], half_bin: float, slopes: bool) -> tuple[Tensor, ...]:
    """log P of pixels [n H W], and its derivatives in the first four of log w, m, s, t and x."""
    log_weights, loc, scale, coefficients, value = given
    every, inverse = value.unsqueeze(1), scale.reciprocal()
    centred = every - loc
    for place, (channel, before) in enumerate(_pairs(loc.shape[2])):
        centred[:, :, channel].sub_(coefficients[:, :, place] * every[:, :, before])
    centred.mul_(inverse)
    half = inverse * half_bin
    log_mass, by_centred, by_half = _masses(centred, half, every, half_bin, slopes)
    joint = log_mass.sum(2) + log_weights
    total = joint.logsumexp(1)
    if by_centred is None or by_half is None:
        return (total,)
    of_component = joint.sub_(total.unsqueeze(1)).exp_()
    inverse.mul_(of_component.unsqueeze(2)).neg_()
    by_scale = by_half.mul_(half).add_(centred.mul_(by_centred)).mul_(inverse)
    by_loc = by_centred.mul_(inverse)
    pairs = [by_loc[:, :, channel] * every[:, :, before] for channel, before in _pairs(loc.shape[2])]
    by_coefficients = torch.stack(pairs, 2) if pairs else torch.zeros_like(coefficients)
    return total, of_component, by_loc, by_scale, by_coefficients


def _masses(centred: Tensor, half: Tensor, value: Tensor, half_bin: float, slopes: bool) -> _Masses:
    """The masses of bins of `half` scales to either side of `centred` ones; of the first and last value the tails.

    F(a) - F(b) = F(a) F(-b) (1 - e^(b - a)): no difference of numbers that agree in most digits. The bin of the last
    value has a = inf, and that of the first b = -inf, which leaves their factors and derivatives out.
    """
    beyond_last = torch.where(value > 1 - half_bin, math.inf, 0.0).to(centred)
    beyond_first = torch.where(value < half_bin - 1, math.inf, 0.0).to(centred)
    upper = (centred + half).add_(beyond_last)
    lower = (half - centred).add_(beyond_first)  # -b
    share = torch.expm1(-2 * half - (beyond_last + beyond_first)).neg_()  # 1 - e^(b - a)
    # At most one of the two is below -STEEP: their sum is not negative.
    excess = torch.minimum(upper, lower).add_(STEEP).clamp(max=0)
    upper, lower = upper.clamp(min=-STEEP).sigmoid_(), lower.clamp(min=-STEEP).sigmoid_()
    log_mass = (upper * lower).mul_(share).log_().add_(excess)
    if not slopes:
        return _Masses(log_mass, None, None)
    # d log F(a) / da = 1 - F(a), and of the third factor 2 (1 - share) / share = 2 / share - 2.
    by_centred = lower - upper
    by_half = share.reciprocal_().mul_(2).sub(upper).sub_(lower)
    return _Masses(log_mass, by_centred, by_half)


def _pairs(channels: int) -> list[tuple[int, int]]:
    """A channel and one before it, in the order of the coefficients."""
    return [(channel, before) for channel in range(channels) for before in range(channel)]


def _learns(*parts: Tensor) -> bool:
    """Whether a gradient can be asked for."""
    return torch.is_grad_enabled() and any(part.requires_grad for part in parts)
