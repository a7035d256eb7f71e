"""Pictures of a model: codes drawn from one of its priors, or the mean codes of images, decoded in batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from spatialvae.data.pixels import to_float, to_uint8
from spatialvae.errors import UserError
from spatialvae.latents import AbstractLatent
from spatialvae.likelihoods import AbstractPixels
from spatialvae.likelihoods.shown import Pixels, shown
from spatialvae.networks.inference import compiling_pays, decoded_at_once, fast_decoder
from spatialvae.priors.shelf import PriorShelf
from spatialvae.runtime.allocator import freed_memory_kept
from spatialvae.runtime.evaluating import HasModes, evaluating
from spatialvae.seeding import seeded

__all__ = ["Generative", "reconstruct", "sample", "sampler"]

CHUNK = 500  # codes drawn at a time: part of what a seed means, so it is the same on every machine
GROUP = 10 * CHUNK  # codes in memory at a time
AT_ONCE = 500  # images that are reconstructed together
PINNED = 2**30  # bytes of pictures up to which a GPU copies straight into the result


class Generative(HasModes, Protocol):
    """What sampling needs of a model: priors to draw codes from, and a decoder that turns them into pictures."""

    @property
    def latent(self) -> AbstractLatent:
        """What a code is."""
        ...

    @property
    def likelihood(self) -> Callable[[Tensor], AbstractPixels]:
        """p(x|z), of the decoder's outputs."""
        ...

    @property
    def decoder(self) -> nn.Module:
        """From codes to the likelihood's parameters."""
        ...

    @property
    def priors(self) -> PriorShelf:
        """The priors by name."""
        ...

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of a picture."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the weights."""
        ...

    def prior(self, name: str | None = None) -> Distribution:
        """p(z) by name."""
        ...

    def encode_checked(self, floats: Tensor) -> Distribution:
        """q(z|x) of floats in [-1, 1]."""
        ...

    def decode(self, codes: Tensor) -> AbstractPixels:
        """p(x|z)."""
        ...


@torch.no_grad()
def sample(
    model: Generative,
    count: int,
    *,
    seed: int | None = None,
    temperature: float = 1.0,
    prior: str | None = None,
    label: int | str | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    pixels: Pixels = "mean",
) -> Tensor:
    """Pictures p(x|z) of codes drawn from a prior: uint8 [count C H W], on the CPU.

    They come from the decoder's fast form, if it offers one (see `fast_decoder`): pixels may differ by one from those
    of `decode`, and by about two of 255 where bf16 is fast.

    Args:
        model: a `SpatialVAE`.
        count: how many pictures.
        seed: makes the draw repeatable; the first k of n pictures do not depend on n.
        temperature: scales the standard deviation of the prior's Gaussian noise.
        prior: `standard`, `learned` or the name of a fitted one; default: the shelf's default.
        label: draw codes of the class of this name, else of this number, from a prior that knows labels.
        steps: of a flow-matching prior's equation; default: the prior's own.
        guidance: how strongly a label pulls in flow matching; without a label each draw gets a class of its own.
        pixels: the mean of p(x|z), its mode, or a sample of it, with the likelihood's own noise.

    Raises:
        UserError: a prior that does not exist, a temperature below 0, a label, steps or guidance that it does not take,
            or `pixels` that are none of the three.
    """
    show = shown(pixels, seed)
    draw, device = sampler(model, prior, temperature, label, steps, guidance), model.device
    shape = (count, *model.image_shape)
    # Made out here: a tensor made in inference mode could not be changed by the caller.
    pictures = torch.empty(shape, dtype=torch.uint8, pin_memory=device.type == "cuda" and math.prod(shape) <= PINNED)
    at_once = decoded_at_once(device)
    with evaluating(model), seeded(seed), torch.inference_mode(), freed_memory_kept():
        example = torch.zeros(at_once, *model.latent.event_shape, dtype=model.dtype, device=device)
        compile = compiling_pays(math.prod(shape), device)
        decoder = fast_decoder(
            model.decoder, example, compile=compile, outline=lambda out: model.likelihood(out).outline
        )
        for start in range(0, count, GROUP):
            stop = min(start + GROUP, count)
            draws = [draw(CHUNK) for _ in range(start, stop, CHUNK)]
            codes = torch.cat(draws)[: stop - start]
            parts = zip(codes.to(device).split(at_once), pictures[start:stop].split(at_once), strict=True)
            for part, place in parts:
                place.copy_(to_uint8(show(model.likelihood(decoder(part)))), non_blocking=True)
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()
    return pictures


@torch.no_grad()
def reconstruct(model: Generative, images: Tensor, *, pixels: Pixels = "mean", seed: int | None = None) -> Tensor:
    """The pictures that the mean codes of `images` decode to: uint8 [B C H W], on the CPU.

    In the weights' own number format, since errors are measured on them.

    Args:
        model: a `SpatialVAE`.
        images: uint8 [B C H W], or floats in [-1, 1].
        pixels: the mean of p(x|z), its mode, or a sample of it, with the likelihood's own noise.
        seed: makes a sample repeatable.

    Raises:
        UserError: `pixels` are none of the three.
    """
    show = shown(pixels, seed)
    with evaluating(model):
        parts = to_float(images).split(AT_ONCE)
        decoded = (show(model.decode(model.encode_checked(part.to(model.device)).mean)) for part in parts)
        return torch.cat([to_uint8(part).cpu() for part in decoded])


@torch.no_grad()
def start_error(model: Generative, floats: Tensor) -> float:
    """The root mean squared error of the mean codes' `outline`, for a part of `floats` [B C H W] in [-1, 1]."""
    part = floats[:AT_ONCE]
    with evaluating(model):
        return float((model.decode(model.encode_checked(part).mean).outline - part).square().mean().sqrt())


def sampler(
    model: Generative,
    prior: str | None = None,
    temperature: float = 1.0,
    label: int | str | None = None,
    steps: int | None = None,
    guidance: float | None = None,
) -> Callable[[int], Tensor]:
    """A function of n that draws codes [n, maps, height, width] of a prior; `sample` describes the arguments."""
    name = model.priors.resolve(prior)
    if (fitted := model.priors.get(name)) is not None:
        codes = fitted(label, temperature, steps, guidance)
        return lambda count: codes.sample(torch.Size([count]))
    if not 0 <= temperature < math.inf:
        raise UserError(f"`temperature` {temperature} is not possible: it should be a finite number from 0 on.")
    if label is not None:
        raise UserError(f"The prior {name} knows no labels: leave `label` out, or fit one: `prior` mixture.")
    if steps is not None:
        raise UserError(f"`steps` {steps} is for flow-matching: draws from {name} take no steps.")
    if guidance is not None:
        raise UserError(f"`guidance` {guidance:g} is for flow-matching with labels: draws from {name} take none.")
    own = model.prior(name)
    return lambda count: own.mean + temperature * (own.sample(torch.Size([count])) - own.mean)
