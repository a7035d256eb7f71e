"""How much of the bound is lost to the encoder, and how much to the form of q (Cremer, Li and Duvenaud, 2018)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_

import torch
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from spatialvae.data.batches import in_order, to_device
from spatialvae.data.pixels import to_float
from spatialvae.errors import UserError
from spatialvae.metrics.likelihood.dense_family import ENTRIES, best_dense, dense_draws, largest_block
from spatialvae.metrics.likelihood.refinement import refine
from spatialvae.metrics.measurement import Measurement
from spatialvae.metrics.subjects import ModelOnSplit
from spatialvae.model import SpatialVAE
from spatialvae.progress import Progress
from spatialvae.runtime.evaluating import evaluating
from spatialvae.runtime.precision import unrounded
from spatialvae.seeding import seeded, stream_seed

__all__ = ["Gaps", "ImageBounds", "bound_gaps", "measure_gaps"]

IMAGES = 32
"""How many are taken by default, where there are as many."""
SCORED = 400
"""Fresh draws an image that each bound is estimated by."""
PIXELS = 2**19
"""Decoded at once: 512 images of 32x32."""
RISE, SHARE = 0.2, 0.05
"""Nats and share of the gap by which a bound may still rise in the last quarter of its refinement without a word."""


class ImageBounds:
    """The bound of some images under any q(z|x), by a model that stays as it is.

    Args:
        model: in its evaluation mode.
        floats: the images, [B C H W], as `to_float` gives them, on the model's device.
    """

    def __init__(self, model: SpatialVAE, floats: Tensor) -> None:
        self.model, self.floats = model, floats
        with torch.no_grad():
            self.outputs = unrounded(model.posterior.projection(model.encoder(floats.to(model.dtype))))
            """The encoder's raw numbers, [B, encoder_outputs]."""
            self.prior = model.prior()

    def reconstruction(self, codes: Tensor) -> Tensor:
        """log p(x|z) in nats of codes [S, B, maps, h, w], [S, B]."""
        count = len(codes)
        pixels = self.model.decode(codes.flatten(0, 1))
        return pixels.log_prob(self.floats.repeat(count, 1, 1, 1)).unflatten(0, (count, -1))

    def log_joint(self, codes: Tensor) -> Tensor:
        """log p(x|z) + log p(z) in nats, [S, B]."""
        return self.reconstruction(codes) + self.prior.log_prob(codes)

    @torch.no_grad()
    def bound(self, q: Distribution, seed: int) -> Tensor:
        """E_q[log p(x|z)] - KL(q || p(z)) by `SCORED` draws, nats, float64 [B]; the KL in closed form if it has one."""
        at_once = max(1, PIXELS // self.floats[:, :1].numel())
        reconstruction, divergence = torch.zeros(2, len(self.floats), dtype=torch.float64, device=self.floats.device)
        try:
            divergence += SCORED * kl_divergence(q, self.prior)
            exact = True
        except NotImplementedError:
            exact = False
        with seeded(seed):
            for start in range(0, SCORED, at_once):
                codes = q.rsample(torch.Size([min(at_once, SCORED - start)]))
                reconstruction += self.reconstruction(codes).double().sum(0)
                if not exact:
                    divergence += (q.log_prob(codes) - self.prior.log_prob(codes)).double().sum(0)
        return (reconstruction - divergence) / SCORED


@dataclass(frozen=True, eq=False)
class Gaps:
    """The bound of each image in nats, float64 [n], under three q, all by the same draws."""

    encoder: Tensor
    """That of the encoder."""
    refined: Tensor
    """The best one of the latent's own family."""
    dense: Tensor
    """The best Gaussian."""
    rises: Tensor
    """How much the two refinements still rose in the last quarter of their steps, nats, [2, n]."""
    block: int
    """How many numbers of the code have a full covariance in `dense`: all of them where the memory allows."""

    def __or__(self, other: Gaps) -> Gaps:
        """The gaps of these images and then the others."""
        pairs = ((self.encoder, other.encoder), (self.refined, other.refined), (self.dense, other.dense))
        encoder, refined, dense = (torch.cat(pair) for pair in pairs)
        return Gaps(encoder, refined, dense, torch.cat([self.rises, other.rises], 1), self.block)

    @property
    def amortisation(self) -> Tensor:
        """What the encoder loses, nats, [n]."""
        return self.refined - self.encoder

    @property
    def family(self) -> Tensor:
        """What the family loses, nats, [n]."""
        return self.dense - self.refined


def bound_gaps(
    model: SpatialVAE,
    images: Tensor,
    *,
    steps: int = 300,
    draws: int = 8,
    seed: int = 0,
    entries: int = ENTRIES,
    advance: Callable[[int], None] = lambda count: None,
) -> Gaps:
    """The amortisation gap and the family gap of some images.

        amortisation = max_q L(q) - L(q_encoder),   family = max_dense L(q) - max_q L(q)

    with L(q) = E_q[log p(x|z)] - KL(q || p(z)).

    q is refined image by image: first the raw numbers that the encoder put out, by Adam, within the latent's family
    (`refine`), then the mean and the full covariance of a Gaussian over the whole code, by natural gradients, from
    where q ended (`best_dense`). What all images share, and the model, stay as they are. Bounds are estimated on fresh
    draws, the same for all three, so that a refinement that found nothing is as often below as above zero.

    Args:
        model: any, on any device; the evaluation mode holds meanwhile.
        images: uint8 [n C H W], or floats in [-1, 1].
        steps: of each of the two refinements.
        draws: of the code an image and step; the dense Gaussian of many numbers takes more, see `dense_draws`.
        seed: of all draws.
        entries: how large the factors that are held at once may be.
        advance: called with the number of images after each step.

    >>> from spatialvae.latents import LowRank
    >>> model = SpatialVAE(latent=LowRank(maps=2, height=3, width=3), image_shape=(1, 8, 8))
    >>> gaps = bound_gaps(model, torch.zeros(3, 1, 8, 8, dtype=torch.uint8), steps=5)
    >>> gaps.amortisation.shape, gaps.block
    (torch.Size([3]), 18)
    """
    numbers = model.latent.numbers
    block = largest_block(numbers, entries)
    pixels = images[0, 0].numel()
    at_once = max(1, min(entries // (numbers * block), PIXELS // (pixels * dense_draws(draws, block))))
    parts: list[Gaps] = []
    with torch.inference_mode(False), torch.enable_grad(), evaluating(model):
        for index, part in enumerate(images.split(at_once)):
            floats = to_float(to_device(part.clone(), model.device))
            floats = floats.to(torch.promote_types(model.dtype, torch.float32))
            climb = partial(_gaps, ImageBounds(model, floats), block, steps, draws, partial(stream_seed, seed, index))
            parts.append(climb(partial(advance, len(part))))
    return reduce(Gaps.__or__, parts)


def _gaps(
    bounds: ImageBounds, block: int, steps: int, draws: int, seed: Callable[[int], int], advance: Callable[[], None]
) -> Gaps:
    """The gaps of images that are refined together."""

    def distribution(parameters: dict[str, Tensor]) -> Distribution:
        return bounds.model.posterior.distribution(parameters["outputs"])

    start, log_joint = {"outputs": bounds.outputs}, bounds.log_joint
    own = refine(start, distribution, log_joint, steps=steps, draws=draws, seed=seed(1), advance=advance)
    many = dense_draws(draws, block)
    dense = best_dense(own.q, log_joint, block=block, steps=steps, draws=many, seed=seed(2), advance=advance)
    each = (distribution(start), own.q, dense.q, own.before, dense.before)
    encoder, refined, whole, *before = (bounds.bound(q, seed(0)).cpu() for q in each)
    return Gaps(encoder, refined, whole, torch.stack([refined, whole]) - torch.stack(before), block)


@dataclass(frozen=True)
class Refinement:
    """How the gaps were measured."""

    images: int
    steps: int
    draws: int
    """An image and step."""
    scored: int
    """Draws an image of each bound."""
    covariance: int
    """Numbers of the code that have a full covariance together."""
    late_rise: tuple[float, float]
    """Nats by which the two bounds still rose in the last quarter of the steps."""


def measure_gaps(subject: ModelOnSplit, images: int | None, steps: int, draws: int) -> Measurement:
    """`amortisation_gap` and `family_gap` of a subset of the images, and what to beware of.

    Raises:
        UserError: a bound that is no number.
    """
    count = min(IMAGES, subject.count) if images is None else images
    batch = torch.cat(list(in_order(subject.split, count, subject.rows(count))))
    with Progress(f"gaps, {steps} steps", 2 * steps * count, shown=subject.progress) as work:
        gaps = bound_gaps(
            subject.model, batch, steps=steps, draws=draws, seed=subject.config.seed, advance=work.advance
        )
    if not (gaps.encoder + gaps.refined + gaps.dense).isfinite().all():
        raise UserError("the bound is no number for some of these images, before q is refined or after it")
    rises = gaps.rises.mean(-1).tolist()
    made = Refinement(count, steps, draws, SCORED, gaps.block, (rises[0], rises[1]))
    values = {"amortisation_gap": gaps.amortisation, "family_gap": gaps.family}
    each = (Measurement.of(name, value, made) for name, value in values.items())
    return reduce(or_, each, Measurement(warnings=tuple(_cautions(subject, gaps, steps))))


def _cautions(subject: ModelOnSplit, gaps: Gaps, steps: int) -> Iterator[str]:
    """A Gaussian that is not dense, and refinements that had not ended."""
    numbers = subject.model.latent.numbers
    if gaps.block < numbers:
        yield (
            f"family_gap: a full covariance of {numbers:,} numbers does not fit into memory; the Gaussian has one for "
            f"runs of {gaps.block:,} numbers of neighbouring sites, so that the gap to a dense one can be larger"
        )
    for name, rise, gap in zip(
        ("amortisation_gap", "family_gap"), gaps.rises, (gaps.amortisation, gaps.family), strict=True
    ):
        error = rise.std().item() / len(rise) ** 0.5 if len(rise) > 1 else 0.0
        if rise.mean().item() > max(RISE, SHARE * gap.mean().item(), 2 * error):
            yield (
                f"{name}: the bound still rose by {rise.mean().item():.1f} nats in the last quarter of {steps} steps, "
                f"so that the gap is larger: take more, such as gaps:steps={4 * steps}"
            )
