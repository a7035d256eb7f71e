"""The spatial VAE: encoder, posterior, decoder and likelihood in one module whose forward is the bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, kl_divergence

from spatialvae.config import ModelConfig
from spatialvae.data.pixels import to_float, to_uint8
from spatialvae.elbo import ELBO
from spatialvae.errors import UserError
from spatialvae.latents import AbstractLatent, parse_latent
from spatialvae.likelihoods import LIKELIHOODS, AbstractPixels
from spatialvae.networks import PaperDecoder, PaperEncoder
from spatialvae.posterior import Amortized
from spatialvae.priors import LearnedPrior, parse_prior, standard_normal
from spatialvae.priors.shelf import PriorShelf
from spatialvae.runtime.evaluating import evaluating
from spatialvae.runtime.precision import unrounded
from spatialvae.sampling import sample
from spatialvae.sizes import default_grid, parse_size

__all__ = ["SpatialVAE", "resolve_latent"]

RECONSTRUCTED_AT_ONCE = 500
AUTHORS_VECTOR_STEM = (64, 48)


class SpatialVAE(nn.Module):
    """A variational auto-encoder whose latent is N maps of d_h x d_w.

    `encode` gives q(z|x), `decode` p(x|z), `elbo` the two terms of the bound in nats per image. Images go in as uint8
    [B C H W] or floats in [-1, 1], not in [0, 1]; pictures come out as uint8. `double`, `half` and `bfloat16` work as
    for any module. `torch.export` takes modules made of `encode` and `decode`, with a batch of any size.

    >>> _ = torch.manual_seed(0)
    >>> model = SpatialVAE(ModelConfig(latent="low-rank", image_size=(8, 8), channels=1)).eval()
    >>> images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    >>> model.encode(images).event_shape, model.sample(4, seed=1).shape
    (torch.Size([8, 3, 3]), torch.Size([4, 1, 8, 8]))
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.latent, reference = resolve_latent(config)
        self.likelihood = LIKELIHOODS.parse(config.likelihood)
        self.encoder = PaperEncoder(config.channels, config.image_size)
        self.posterior = Amortized(self.latent, self.encoder.features)
        authors = config.decoder_stem == "authors" and self.latent.event_shape != reference
        self.decoder = PaperDecoder(
            self.latent.event_shape,
            config.channels,
            config.image_size,
            reference=reference,
            widths=AUTHORS_VECTOR_STEM if authors else None,
        )
        law = parse_prior(config.prior, self.latent)
        self.learned_prior = None if law is None else LearnedPrior(law)
        self.priors = PriorShelf(own="standard" if law is None else "learned")
        """Fitted priors by name: they move with the model, and are no part of its `state_dict` or parameters."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the images."""
        return (self.config.channels, *self.config.image_size)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        self.priors.to(self.device)
        return self

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The weights' number format, which images and codes are cast to; densities are in float32 at least."""
        return next(self.parameters()).dtype

    def encode(self, images: Tensor) -> Distribution:
        """q(z|x): batch [B], event [maps, height, width].

        Args:
            images: uint8 [B C H W], or floats in [-1, 1], not in [0, 1].
        """
        return self.encode_checked(to_float(images))

    def encode_checked(self, floats: Tensor) -> Distribution:
        """q(z|x) of floats from `to_float`, [B C H W]: their range is not looked at again.

        A second look would stop a GPU's queue in every step, and take a batch of bright images for one in [0, 1].
        """
        wanted = [self.config.channels, *self.config.image_size]
        if list(floats.shape[1:]) != wanted:
            raise ValueError(
                f"images came with shape {list(floats.shape)}; this model wants [B, {wanted}], "
                "uint8 or floats in [-1, 1]."
            )
        return self.posterior(self.encoder(floats.to(self.dtype)))

    def decode(self, codes: Tensor) -> AbstractPixels:
        """p(x|z): codes [B, maps, height, width] -> a distribution with batch [B], event [C, H, W]."""
        return self.likelihood(unrounded(self.decoder(codes.to(self.dtype))))

    def prior(self, name: str | None = None) -> Distribution:
        """p(z) by name, the model's own if left out; batch [], event [maps, h, w].

        `standard` is N(0, I), `learned` was trained with the model, others were fitted after training.
        """
        name = self.priors.resolve(name or self.priors.own)
        if name == "learned" and self.learned_prior is not None:
            return self.learned_prior()
        if name == "standard":
            dtype = torch.promote_types(self.dtype, torch.float32)
            return standard_normal(self.latent.event_shape, dtype=dtype, device=self.device)
        return self.priors[name]

    def forward(self, images: Tensor) -> ELBO:
        """The terms of the bound, nats per image, [B] each: E_q[log p(x|z)] by one draw, and the closed-form KL."""
        floats = to_float(images)
        floats = floats.to(torch.promote_types(self.dtype, torch.float32))
        posterior = self.encode_checked(floats)
        with torch.autocast(floats.device.type, enabled=False):  # products of factors would be rounded to 8 bits
            codes, kl = posterior.rsample(), kl_divergence(posterior, self.prior())
        return ELBO(self.decode(codes).log_prob(floats), kl)

    def elbo(self, images: Tensor) -> ELBO:
        """The terms of the bound for images [B C H W], nats per image: the same as calling the model."""
        return self(images)

    def sample(
        self,
        count: int,
        *,
        seed: int | None = None,
        temperature: float = 1.0,
        prior: str | None = None,
        label: int | str | None = None,
        steps: int | None = None,
    ) -> Tensor:
        """Pictures of codes drawn from a prior, uint8 [count C H W] on the CPU: see `spatialvae.sampling.sample`."""
        return sample(self, count, seed=seed, temperature=temperature, prior=prior, label=label, steps=steps)

    @torch.no_grad()
    def reconstruct(self, images: Tensor) -> Tensor:
        """The pictures that the mean codes of `images` decode to: uint8 [B C H W], on the CPU.

        In the weights' own number format, since errors are measured on them.
        """
        with evaluating(self):
            parts = to_float(images).split(RECONSTRUCTED_AT_ONCE)
            decoded = (self.decode(self.encode_checked(part.to(self.device)).mean).mean for part in parts)
            return torch.cat([to_uint8(part).cpu() for part in decoded])


def resolve_latent(config: ModelConfig) -> tuple[AbstractLatent, tuple[int, int, int]]:
    """The latent that the settings name, and (maps, height, width) of the grid that its decoder is matched to."""
    maps, height, width = default_grid(config.image_size)
    if config.map_size is not None:
        height, width = parse_size(config.map_size, "--map-size")
    maps = config.maps or maps
    if height > config.image_size[0] or width > config.image_size[1]:
        size = "x".join(str(side) for side in config.image_size)
        raise UserError(f"--map-size {height}x{width} does not fit into images of {size}: use at most {size}.")
    return parse_latent(config.latent, (maps, height, width)), (maps, height, width)
