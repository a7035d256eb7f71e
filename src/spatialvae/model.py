"""The spatial VAE: encoder, posterior, decoder and likelihood in one module whose forward is the bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, kl_divergence

from spatialvae.config import ModelConfig
from spatialvae.data.pixels import to_float, to_uint8
from spatialvae.elbo import ELBO
from spatialvae.errors import UserError, nearest
from spatialvae.latents import AbstractLatent, parse_latent
from spatialvae.likelihoods import AbstractPixels, parse_likelihood
from spatialvae.networks import PaperDecoder, PaperEncoder
from spatialvae.networks.inference import compiling_pays, decoded_at_once, fast_decoder
from spatialvae.posterior import Amortized
from spatialvae.priors import FAMILIES, AbstractPrior, LearnedPrior, parse_family, parse_prior, standard_normal
from spatialvae.runtime.allocator import freed_memory_kept
from spatialvae.runtime.precision import unrounded
from spatialvae.seeding import seeded
from spatialvae.sizes import default_grid, parse_size

__all__ = ["SpatialVAE", "evaluating", "resolve_latent"]

CHUNK = 500  # codes drawn at a time: part of what a seed means, so it is the same on every machine
GROUP = 10 * CHUNK  # codes in memory at a time
PINNED = 2**30  # bytes of pictures up to which a GPU copies straight into the result
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
        self.likelihood = parse_likelihood(config.likelihood)
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
        self.priors: dict[str, AbstractPrior] = {}
        """Fitted priors by name; the model's own and `standard` are always there and not listed."""
        self.unusable_priors: dict[str, str] = {}
        """Names of priors that were found beside the model and do not fit it, and why, in a sentence."""
        self.chosen_prior: str | None = None
        """The fitted prior that was made the default."""

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

    @property
    def own_prior(self) -> str:
        """The name of the p(z) in the bound: `standard`, or `learned` if it was trained with the model."""
        return "standard" if self.learned_prior is None else "learned"

    def prior(self, name: str | None = None) -> Distribution:
        """p(z) by name, the model's own if left out; batch [], event [maps, h, w].

        `standard` is N(0, I), `learned` was trained with the model, others were fitted after training.
        """
        name = self.prior_name(name or self.own_prior)
        if name == "learned" and self.learned_prior is not None:
            return self.learned_prior()
        if name == "standard":
            dtype = torch.promote_types(self.dtype, torch.float32)
            return standard_normal(self.latent.event_shape, dtype=dtype, device=self.device)
        return self.priors[name]

    def prior_name(self, name: str | None = None) -> str:
        """The full name of the prior that a user calls `name`; of `default_prior` if left out.

        A name that is there means that prior; else a family's bare name, such as ``mixture``, means the one that was
        fitted of it, ``mixture:components=20``.

        Raises:
            UserError: no such prior, or several of that family, with their list.
        """
        name = name or self.default_prior
        if name in ("standard", self.own_prior):
            return name
        spelled = parse_family(name).spelled if name.partition(":")[0] in FAMILIES else name
        if spelled in self.priors:
            return spelled
        of_family = [fitted for fitted, prior in self.priors.items() if prior.family.name == name]
        if len(of_family) > 1:
            raise UserError(f"Several priors of the family {name} were fitted: choose {' or '.join(of_family)}.")
        if not of_family:
            raise UserError(self._no_prior(spelled))
        return of_family[0]

    @property
    def default_prior(self) -> str:
        """The prior to sample from: the one that was chosen, else the fitted Gaussian, else the model's own."""
        known = [name for name in (self.chosen_prior, "gaussian") if name in (*self.priors, self.own_prior)]
        return known[0] if known else self.own_prior

    def _no_prior(self, name: str) -> str:
        known = list(dict.fromkeys([self.own_prior, "standard", *self.priors]))
        if name in self.unusable_priors:
            return f"{self.unusable_priors[name]}\nFit it again: spatialvae fit-prior RUN --prior {name}."
        if name.partition(":")[0] in FAMILIES:
            return (
                f"This model has no prior {name!r} yet, only {', '.join(known)}.\n"
                f"Fit it: spatialvae fit-prior RUN --prior {name}."
            )
        return f"This model has no prior {name!r}. {nearest(name, known)}"

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

    @torch.no_grad()
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
        """Pictures p(x|z) of codes drawn from a prior: uint8 [count C H W], on the CPU.

        They come from the decoder's fast form (see `fast_decoder`): pixels may differ by one from those of `decode`,
        and by about two of 255 where bf16 is fast.

        Args:
            seed: makes the draw repeatable; the first k of n pictures do not depend on n.
            temperature: scales the standard deviation of the prior's Gaussian noise.
            prior: `standard`, `learned` or the name of a fitted one; default: `default_prior`.
            label: draw codes of the class of this name, else of this number, from a prior that knows labels.
            steps: of a diffusion's equation; default: the prior's own.

        Raises:
            UserError: a prior that is not there, a temperature below 0, or a label or steps that it does not take.
        """
        law, device = self.sampler(prior, temperature, label, steps), self.device
        shape = (count, self.config.channels, *self.config.image_size)
        # Made out here: a tensor made in inference mode could not be changed by the caller.
        pictures = torch.empty(
            shape, dtype=torch.uint8, pin_memory=device.type == "cuda" and math.prod(shape) <= PINNED
        )
        at_once = decoded_at_once(device)
        with evaluating(self), seeded(seed), torch.inference_mode(), freed_memory_kept():
            example = torch.zeros(at_once, *self.latent.event_shape, dtype=self.dtype, device=device)
            decoder = fast_decoder(self.decoder, example, compile=compiling_pays(math.prod(shape), device))
            for start in range(0, count, GROUP):
                stop = min(start + GROUP, count)
                draws = [law(CHUNK) for _ in range(start, stop, CHUNK)]
                codes = torch.cat(draws)[: stop - start]
                parts = zip(codes.to(device).split(at_once), pictures[start:stop].split(at_once), strict=True)
                for part, place in parts:
                    place.copy_(to_uint8(self.likelihood(decoder(part)).mean), non_blocking=True)
        if device.type == "cuda":
            torch.cuda.current_stream(device).synchronize()
        return pictures

    def sampler(
        self,
        prior: str | None = None,
        temperature: float = 1.0,
        label: int | str | None = None,
        steps: int | None = None,
    ) -> Callable[[int], Tensor]:
        """What draws codes [n, maps, height, width] of a prior; see `sample` for the arguments."""
        name = self.prior_name(prior)
        law = self.prior(name)
        if not 0 <= temperature < math.inf:
            raise UserError(f"--temperature {temperature} is not possible: it should be a finite number from 0 on.")
        if isinstance(law, AbstractPrior):
            law = law if steps is None else law.with_steps(steps)
            chosen = (law if label is None else law.given_label(label)).tempered(temperature)
            return lambda count: chosen.sample(torch.Size([count]))
        if label is not None:
            raise UserError(f"The prior {name} knows no labels: leave --label out, or fit one: --prior mixture.")
        if steps is not None:
            raise UserError(f"--steps {steps} is for diffusion: draws from {name} take no steps.")
        return lambda count: law.mean + temperature * (law.sample(torch.Size([count])) - law.mean)

    @torch.no_grad()
    def reconstruct(self, images: Tensor) -> Tensor:
        """The pictures that the mean codes of `images` decode to: uint8 [B C H W], on the CPU.

        In the weights' own number format, since errors are measured on them.
        """
        with evaluating(self):
            parts = to_float(images).split(CHUNK)
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


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Dropout off and batch norm on its running statistics inside; the mode of before afterwards."""
    before = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(before)
