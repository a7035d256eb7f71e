"""A model at another image size, with the weights of the first: for networks and heads that are convolutions."""

from __future__ import annotations

import dataclasses

from torch import nn

from spatialvae.errors import UserError
from spatialvae.latents import AbstractLatent
from spatialvae.model import SpatialVAE
from spatialvae.networks.shapes import output_shape
from spatialvae.seeding import seeded

__all__ = ["at_size"]


def at_size(model: SpatialVAE, image_size: tuple[int, int]) -> SpatialVAE:
    """The model for images of another size, (height, width), in evaluation mode; all its weights are those of `model`.

    The layers of the encoder and of the decoder run as they are on larger or smaller maps, so that the latent's maps
    have the size from which the decoder makes such images. The paper's stacks for 64x64 images turn maps of n x m
    into images of 16 (n + 1) x 16 (m + 1) pixels: 64x64 from 3x3, 80x112 from 4x6. Those for 32x32 make
    8 (n + 1) x 8 (m + 1).

    Fitted priors stay with `model`, since they describe codes of its size. A run folder of the result loads with
    ``like=at_size(...)``. Both models share their weights, so that moving one to another device moves both; move
    `model` as well, whose fitted priors follow it alone.

    Args:
        model: with the conv head, and N(0, I) as its p(z).
        image_size: (height, width) of the other images.

    Raises:
        UserError: a dense head or a learned prior, which have weights for each pixel of their maps; a latent or a
            network that only has one size; or a size that the decoder does not make, with the nearest that it does.
    """
    if model.config.head != "conv":
        raise UserError("Another image size needs the conv head: train the model with `head` conv.")
    if model.learned_prior is not None:
        raise UserError("A learned prior has the size of its codes: another image size needs `prior` standard.")
    latent = _latent_at(model, image_size)
    with seeded(0):  # weights of the head that are replaced at once
        other = SpatialVAE(
            latent=latent,
            likelihood=model.likelihood,
            encoder=model.encoder,
            decoder=model.decoder,
            image_shape=(model.image_shape[0], *image_size),
            head="conv",
        )
    _share(model.posterior, other.posterior)
    return other.eval()


def _latent_at(model: SpatialVAE, image_size: tuple[int, int]) -> AbstractLatent:
    """The latent whose codes the decoder turns into images of this size."""
    maps, height, width = model.latent.event_shape
    sides = [_side(model.decoder, (maps, height, width), axis, image_size[axis]) for axis in (0, 1)]
    try:
        return dataclasses.replace(model.latent, height=sides[0], width=sides[1])
    except TypeError:
        raise UserError(
            f"The codes of {type(model.latent).__name__} have one size: another image size needs maps."
        ) from None


def _side(decoder: nn.Module, code: tuple[int, int, int], axis: int, wanted: int) -> int:
    """The height (axis 0) or width (axis 1) of a code that becomes an image with a side of `wanted` pixels."""
    below: str = ""
    for side in range(1, wanted + 1):
        shape = (code[0], side, code[2]) if axis == 0 else (code[0], code[1], side)
        pixels = output_shape(decoder, shape)[1 + axis]
        if pixels == wanted:
            return side
        if pixels > wanted:
            nearest = f"{below}{pixels}"
            raise UserError(f"The decoder makes no side of {wanted} pixels: the nearest is {nearest}.")
        below = f"{pixels} or "
    raise UserError(f"The decoder makes no side of {wanted} pixels from any map.")


def _share(source: nn.Module, target: nn.Module) -> None:
    """Make the parameters of one module those of another of the same form."""
    theirs = dict(target.named_parameters())
    for name, parameter in source.named_parameters():
        if name not in theirs or theirs[name].shape != parameter.shape:
            raise UserError(f"The weights of {name} depend on the size of the maps: this latent only has one size.")
        owner, _, last = name.rpartition(".")
        setattr(target.get_submodule(owner), last, parameter)
