"""The spatial VAE: encoder, posterior, decoder and likelihood in one module whose forward is the bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, kl_divergence

from spatialvae import sampling
from spatialvae.config import ModelConfig
from spatialvae.data.pixels import to_float
from spatialvae.elbo import ELBO
from spatialvae.heads import Head
from spatialvae.latents import AbstractLatent
from spatialvae.likelihoods import AbstractLikelihood, AbstractPixels
from spatialvae.networks import AbstractNetworks
from spatialvae.networks.base import Start
from spatialvae.networks.shapes import Shape, check_images, check_outputs, codes_in, feature_shape
from spatialvae.parts import check_divergence, complete_parts, named_parts, own_name, spelled, with_defaults
from spatialvae.posterior import Amortized
from spatialvae.priors import AbstractModelFamily, standard_normal
from spatialvae.priors.shelf import PriorShelf
from spatialvae.representation import as_html, as_text
from spatialvae.runtime.precision import unrounded

__all__ = ["SpatialVAE"]


class SpatialVAE(nn.Module):
    """A variational auto-encoder whose latent is N maps of d_h x d_w.

    `encode` gives q(z|x), `decode` p(x|z), `elbo` the two terms of the bound in nats per image. Images go in as uint8
    [B C H W] or floats in [-1, 1], not in [0, 1]; pictures come out as uint8. `double`, `half` and `bfloat16` work as
    for any module. `torch.export` takes modules made of `encode` and `decode`, with a batch of any size.

    Args:
        latent: what a code is, such as `MatrixNormalMaps(maps=64, height=3, width=3)`.
        likelihood: p(x|z) of the decoder's outputs; by default that of the networks, a Gaussian of learned width.
        image_shape: (C, H, W) of the images.
        networks: a family that makes both halves, for what is not given; the paper's by default.
        encoder: any module from images [B C H W] to features [B F] or maps [B F h w].
        decoder: any module from codes [B maps h w] to the likelihood's parameters [B outputs H W].
        prior: p(z) of the bound, such as `LearnedFamily()`; N(0, I) by default.
        head: from the features to q(z|x): one fully connected layer, or convolutions, for images of other sizes too;
            by default that of the networks.
        grid: (maps, height, width) of the latents that this one is compared with; its own by default.
        config: the settings that name all this, where they exist; else the parts are spelled.

    Raises:
        UserError: a network whose output has the wrong shape, or a name in place of an object.

    >>> from spatialvae.latents import LowRank
    >>> model = SpatialVAE(latent=LowRank(maps=8, height=3, width=3), image_shape=(1, 8, 8)).eval()
    >>> images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    >>> model.encode(images).event_shape, model.sample(4, seed=1).shape
    (torch.Size([8, 3, 3]), torch.Size([4, 1, 8, 8]))
    """

    def __init__(
        self,
        *,
        latent: AbstractLatent,
        image_shape: Shape,
        likelihood: AbstractLikelihood | None = None,
        networks: AbstractNetworks | None = None,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        prior: AbstractModelFamily | None = None,
        head: Head | None = None,
        grid: Shape | None = None,
        config: ModelConfig | None = None,
    ) -> None:
        super().__init__()
        parts = complete_parts(latent, image_shape, likelihood, networks, encoder, decoder, prior, head, grid)
        self.latent, self.image_shape, self.likelihood = latent, parts.image_shape, parts.likelihood
        self.likelihood.build(parts.image_shape[0])
        code = latent.event_shape
        self.encoder = parts.networks.encoder(parts.image_shape, code, parts.grid) if encoder is None else encoder
        features = feature_shape(self.encoder, parts.image_shape)
        self.posterior = Amortized(latent, features, parts.head, codes_in(self.encoder))
        self.decoder = parts.networks.decoder(code, parts.output_shape, parts.grid) if decoder is None else decoder
        check_outputs(self.decoder, code, parts.output_shape)
        self.learned_prior = parts.prior.module(latent)
        """p(z) of the bound; None where that is N(0, I)."""
        self.priors = PriorShelf(own=own_name(parts.prior))
        """Fitted priors by name: they move with the model, and are no part of its `state_dict` or parameters."""
        own = (self.encoder, self.decoder) if encoder is not None or decoder is not None else None
        self.config = config or spelled(parts, own)
        """The names and options of the parts."""
        check_divergence(latent, self.prior())

    @classmethod
    def from_config(cls, config: ModelConfig) -> Self:
        """The model whose parts `config` names; `UserError` for a name or an option that does not exist."""
        return cls(**vars(named_parts(config)), config=with_defaults(config))

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
        """q(z|x), batch [B], event [maps, height, width], of images [B C H W]: uint8, or floats in [-1, 1]."""
        return self.encode_checked(to_float(images))

    def encode_checked(self, floats: Tensor) -> Distribution:
        """q(z|x) of floats from `to_float`, [B C H W]: their range is not looked at again.

        A second look would stop a GPU's queue in every step, and take a batch of bright images for one in [0, 1].
        """
        check_images(floats, self.image_shape)
        return self.posterior(self.encoder(floats.to(self.dtype)))

    def decode(self, codes: Tensor) -> AbstractPixels:
        """p(x|z): codes [B, maps, height, width] -> a distribution with batch [B], event [C, H, W]."""
        return self.likelihood(unrounded(self.decoder(codes.to(self.dtype))))

    def prior(self, name: str | None = None) -> Distribution:
        """p(z) by name, the model's own if left out; batch [], event [maps, h, w].

        `standard` is N(0, I), `learned` was trained with the model, others were fitted after training.
        """
        name = self.priors.resolve(name or self.priors.own)
        if name == self.priors.own and self.learned_prior is not None:
            return self.learned_prior()
        if name in ("standard", self.priors.own):
            dtype = torch.promote_types(self.dtype, torch.float32)
            return standard_normal(self.latent.event_shape, dtype=dtype, device=self.device)
        return self.priors[name]()

    def forward(self, images: Tensor) -> ELBO:
        """The terms of the bound, nats per image, [B] each: E_q[log p(x|z)] by one draw, and the closed-form KL."""
        return self.terms(images)[0]

    def terms(self, images: Tensor) -> tuple[ELBO, AbstractPixels, Tensor]:
        """The terms of the bound, and for the draw of z that they were made with p(x|z) and the decoder's outputs."""
        floats = to_float(images)
        floats = floats.to(torch.promote_types(self.dtype, torch.float32))
        posterior = self.encode_checked(floats)
        with torch.autocast(floats.device.type, enabled=False):  # products of factors would be rounded to 8 bits
            codes, kl = posterior.rsample(), kl_divergence(posterior, self.prior())
        outputs = unrounded(self.decoder(codes.to(self.dtype)))
        pixels = self.likelihood(outputs)
        return ELBO(pixels.log_prob(floats), kl), pixels, outputs

    def elbo(self, images: Tensor) -> ELBO:
        """The terms of the bound for images [B C H W], nats per image: the same as calling the model."""
        return self(images)

    def start_from(self, images: Tensor) -> None:
        """Start the networks from images [B C H W] where they have a use for these, such as the PCA of their patches.

        Training calls it before the first step. Networks that have started so, or were loaded so, stay as they are.
        """
        offer = getattr(self.encoder, "start_from", None)
        if offer is not None:
            means = self.likelihood.means(self.image_shape[0])
            floats = to_float(images).to(self.device)
            start: Start | None = offer(floats, self.decoder, means)
            if start is not None:
                self.posterior.start_scales(start.log_scales)
                # The error is measured at PCA's noise: at wider scales a mixture's mean would lie nearer to 0.
                self.likelihood.start_scale(start.noise)
                # A mean that carries no code yet, or one that is interpolated, leaves more than PCA's noise.
                self.likelihood.start_scale(max(start.noise, sampling.start_error(self, floats)))

    reconstruct = sampling.reconstruct
    sample = sampling.sample

    def __repr__(self) -> str:
        return as_text(self)

    _repr_html_ = as_html
