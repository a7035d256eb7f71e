"""A mixture of discretised logistics a pixel, whose channels depend on each other (Salimans and others, 2017)."""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import softplus

from spatialvae.errors import UserError
from spatialvae.likelihoods.base import LIKELIHOODS, AbstractLikelihood, AbstractPixels
from spatialvae.likelihoods.location_scale import ScaleOffset, positive_scale
from spatialvae.likelihoods.logistic import DEVIATION, likeliest_level, logistic_levels
from spatialvae.likelihoods.logistic_mass import mixture_log_mass
from spatialvae.options import check_options
from spatialvae.runtime.precision import unrounded

__all__ = ["LogisticMixture", "LogisticMixturePixels", "mixture_means"]

MOST = 100
"""Components; 256 values of a pixel leave nothing for more to describe."""
FLOOR = 0.001  # a quarter of a bin: one value's mass is at most 0.96
INITIAL_SCALE = 0.25
NARROWEST = 1 / 16
"""The last component's scale in the beginning, as a share of the first's."""
WIDE = 1.0  # from here on the difference of two softplus functions loses its digits


class LogisticMixturePixels(AbstractPixels):
    """P(x) = sum_k w_k prod_c P_kc(x_c | x_1 ... x_(c-1)) for each pixel: a mixture over all its channels together.

    P_kc is the discretised logistic of `scale` around loc_kc + sum_(j < c) coefficient_kcj x_j. The bins of the first
    and the last level reach to -inf and +inf, so that the masses of all levels^C values of a pixel add up to one.

    Args:
        logits: log w up to a constant, [B K H W].
        loc: [B K C H W].
        scale: positive, [B K C H W].
        coefficients: of channel c on channel j < c, in the order (1, 0), (2, 0), (2, 1), ..., [B K C(C-1)/2 H W].
        levels: how many values a channel has, evenly from -1 to 1.
    """

    def __init__(self, logits: Tensor, loc: Tensor, scale: Tensor, coefficients: Tensor, levels: int = 256) -> None:
        self.log_weights = logits.log_softmax(-3)
        self.loc, self.scale, self.coefficients = loc, scale, coefficients
        self.half_bin = 1 / (levels - 1)
        super().__init__(loc.shape[:-4] + loc.shape[-3:])

    @classmethod
    def of_outputs(cls, output: Tensor, components: int, offset: ScaleOffset) -> Self:
        """From raw outputs [B, outputs, H, W] in the order of `mixture_means`, computed in float32 at least.

        Args:
            output: of the decoder.
            components: K.
            offset: of the raw scales.

        Raises:
            UserError: a number of outputs that fits no number of channels.
        """
        output, count = unrounded(output), output.shape[-3]
        channels = next((c for c in range(1, count + 1) if len(mixture_means(components, c)) >= count), 1)
        if len(mixture_means(components, channels)) != count:
            raise UserError(
                f"{count} outputs a pixel are not possible: {components} components take "
                f"{len(mixture_means(components, 1))} for images of one channel and "
                f"{len(mixture_means(components, 3))} for three."
            )
        sizes = (1, channels, channels, channels * (channels - 1) // 2)
        sections: tuple[Tensor, ...] = torch.split(output, [components * size for size in sizes], -3)
        logits, loc, raw, coefficients = (
            part.reshape(*part.shape[:-3], components, size, *part.shape[-2:])
            for part, size in zip(sections, sizes, strict=True)
        )
        # Scales that differ from the start: equal components would get equal gradients, and stay equal.
        ratios = torch.logspace(0, math.log2(NARROWEST), components, 2, dtype=output.dtype, device=output.device)
        scale = positive_scale(offset(raw), INITIAL_SCALE * ratios[:, None, None, None], FLOOR)
        return cls(logits.squeeze(-3), loc, scale, coefficients.tanh())

    @property
    def mean(self) -> Tensor:
        """The expectation of a pixel: sum_k w_k e_kc, with e_kc = E[clip(loc_kc + sum_j coefficient_kcj e_kj + noise)].

        A logistic clipped to [-1, 1] has its expectation in closed form. It is exact for the first channel, up to the
        rounding to levels. A later channel is conditioned on values, and its expectation is linear in them as long as
        nothing is clipped: then it is exact too. Beside an end of the range it takes the clipping of its own noise
        into account, and that of the channels before it by their expectations.
        """
        means: list[Tensor] = []
        for channel in range(self.loc.shape[-3]):
            means.append(_clipped_mean(self._centre(channel, means), self.scale[..., channel, :, :]))
        return (self.log_weights.exp().unsqueeze(-3) * torch.stack(means, -3)).sum(-4)

    @property
    def mode(self) -> Tensor:
        """The likeliest of K values of a pixel: of each component its own likeliest, channel after channel.

        The likeliest of all 256^C values may be another one where components overlap.
        """
        values: list[Tensor] = []
        for channel in range(self.loc.shape[-3]):
            centre = self._centre(channel, values)
            values.append(likeliest_level(centre, self.scale[..., channel, :, :], self.half_bin))
        tried = torch.stack(values, -3)  # [B K C H W]
        masses = torch.stack([self._pixel_log_mass(tried[..., k, :, :, :]) for k in range(tried.shape[-4])], -3)
        return _picked(tried, masses.argmax(-3))

    @property
    def noise_shape(self) -> torch.Size:
        channels, height, width = self.event_shape
        return torch.Size((1 + channels, height, width))

    def drawn(self, noise: Tensor) -> Tensor:
        """One number of a pixel picks its component, the others its channels one after the other."""
        with torch.no_grad():
            noise = noise.to(self.loc)
            below = self.log_weights.exp().cumsum(-3) <= noise[..., :1, :, :]
            component = below[..., :-1, :, :].sum(-3)  # of the rounded total of 1 the last takes the rest
            loc, scale, coefficients = (
                _picked(part.expand(*component.shape[:-2], *part.shape[-4:]), component)
                for part in (self.loc, self.scale, self.coefficients)
            )
            values: list[Tensor] = []
            for channel in range(loc.shape[-3]):
                centre = _centre(loc, coefficients, channel, values)
                one = noise[..., 1 + channel, :, :]
                values.append(logistic_levels(centre, scale[..., channel, :, :], one, self.half_bin))
            return torch.stack(values, -3)

    def log_mass(self, value: Tensor) -> Tensor:
        return self._pixel_log_mass(value).sum((-2, -1))

    def log_prob(self, value: Tensor) -> Tensor:
        return self.log_mass(value)  # already a mass: the bound is of the 8-bit image

    def _pixel_log_mass(self, value: Tensor) -> Tensor:
        """log P of each pixel, [B H W], of values [B C H W]."""
        return mixture_log_mass(self.log_weights, self.loc, self.scale, self.coefficients, value, self.half_bin)

    def _centre(self, channel: int, before: list[Tensor]) -> Tensor:
        return _centre(self.loc, self.coefficients, channel, before)


@LIKELIHOODS.register("logistic-mixture")
class LogisticMixture(AbstractLikelihood):
    """log P of the 8-bit image, nats per image, P of a pixel a mixture of discretised logistics over its channels.

        P(x) = sum_k w_k prod_c P_kc(x_c),   P_kc logistic around m_kc + sum_(j < c) tanh(a_kcj) x_j with scale s_kc

    The decoder puts out the logits of w, and m, s and a, each in this order with the components first. A scale is
    0.001 or more; the components start at scales from 1/4 to 1/64, in equal ratios, or as far to either side of a scale
    that is measured on data. All is in float32 at least.

    Args:
        components: K.

    Raises:
        UserError: fewer than 1 component or more than 100.

    >>> LogisticMixture().outputs(channels=3)
    50
    >>> LogisticMixture()(torch.zeros(2, 50, 8, 8)).log_prob(torch.zeros(2, 3, 8, 8)) < 0
    tensor([True, True])
    """

    def __init__(self, components: int = 5) -> None:
        super().__init__()
        self.components = components
        check_options(self)
        check_components(components)
        self.offset = ScaleOffset()

    def start_scale(self, scale: float) -> None:
        start_mixture(self.offset, scale)

    def means(self, channels: int) -> tuple[int | None, ...]:
        return mixture_means(self.components, channels)

    def forward(self, output: Tensor) -> LogisticMixturePixels:
        return LogisticMixturePixels.of_outputs(output, self.components, self.offset)


def mixture_means(components: int, channels: int) -> tuple[int | None, ...]:
    """What `AbstractLikelihood.means` gives for a mixture: logits, means, scales and coefficients of K components.

    >>> mixture_means(2, 1)
    (None, None, 0, 0, None, None)
    """
    pairs = channels * (channels - 1) // 2
    return (
        *(None,) * components,
        *tuple(range(channels)) * components,
        *(None,) * (components * (channels + pairs)),
    )


def start_mixture(offset: ScaleOffset, scale: float) -> None:
    """Start the middle one of the components' scales where pixels have this standard deviation about their means."""
    offset.start(scale / DEVIATION, INITIAL_SCALE * math.sqrt(NARROWEST), FLOOR)


def check_components(components: int) -> None:
    """Refuse a number of components that makes no sense.

    Raises:
        UserError: fewer than 1 or more than 100.
    """
    if not 1 <= components <= MOST:
        raise UserError(f"components={components} is not possible: a pixel's mixture has 1 to {MOST} components.")


def _centre(loc: Tensor, coefficients: Tensor, channel: int, before: list[Tensor]) -> Tensor:
    """The centre of a channel's logistics given the values of the channels before it, [... H W]."""
    first = channel * (channel - 1) // 2
    centre = loc[..., channel, :, :]
    for j in range(channel):
        centre = centre + coefficients[..., first + j, :, :] * before[j]
    return centre


def _picked(parts: Tensor, component: Tensor) -> Tensor:
    """Of [... K C H W] the component that [... H W] names for each pixel, [... C H W]."""
    index = component[..., None, None, :, :].expand(*parts.shape[:-4], 1, *parts.shape[-3:])
    return parts.gather(-4, index).squeeze(-4)


def _clipped_mean(loc: Tensor, scale: Tensor) -> Tensor:
    """The expectation of a logistic whose values below -1 and above 1 are moved there.

        E = -1 + s [log(1 + e^a) - log(1 + e^b)],   a = (loc + 1) / s,   b = (loc - 1) / s

    >>> _clipped_mean(torch.tensor([-9.0, 0.0, 0.5, 9.0]), torch.tensor([0.1, 1e9, 0.01, 0.1]))
    tensor([-1.0000,  0.0000,  0.5000,  1.0000])
    """
    low = (loc - 1) / scale
    wide = scale > WIDE
    narrow = softplus((loc + 1) / torch.where(wide, WIDE, scale)) - softplus((loc - 1) / torch.where(wide, WIDE, scale))
    # The same as a logarithm near 1, for scales whose two ends agree in most digits.
    grown = torch.log1p(low.sigmoid() * torch.expm1(2 / torch.where(wide, scale, WIDE)))
    return scale * torch.where(wide, grown, narrow) - 1
