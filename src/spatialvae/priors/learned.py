"""A prior that is trained with the model: the distribution of a latent, with free parameters and no encoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import nn
from torch.distributions import Distribution

from spatialvae.errors import UserError
from spatialvae.latents import LATENTS, AbstractLatent, parse_latent
from spatialvae.priors.base import PRIORS, AbstractModelFamily
from spatialvae.runtime.precision import unrounded

__all__ = ["LearnedFamily", "LearnedPrior"]

OLD_WORD = "law"
"""What files from earlier versions call the option `latent`."""


class LearnedPrior(nn.Module):
    """p(z), the distribution of `latent` with one set of parameters for all images; it starts as N(0, I).

    The KL divergence from any latent's posterior is closed-form, see `spatialvae.distributions.kl`.

    >>> from spatialvae.latents import LATENTS
    >>> prior = LearnedPrior(LATENTS["matrix-normal"](maps=4, height=3, width=3))
    >>> prior().batch_shape, prior().event_shape, prior().stddev.unique()
    (torch.Size([]), torch.Size([4, 3, 3]), tensor([1.], grad_fn=<Unique2Backward0>))
    """

    def __init__(self, latent: AbstractLatent) -> None:
        super().__init__()
        self.latent = latent
        self.free = nn.ParameterDict({name: nn.Parameter(start) for name, start in latent.initial().items()})

    def forward(self) -> Distribution:
        """p(z): batch [], event [maps, height, width]."""
        return self.latent.distribution({name: unrounded(parameter) for name, parameter in self.free.items()})


@PRIORS.register("learned")
@dataclass(frozen=True, init=False)
class LearnedFamily(AbstractModelFamily):
    """p(z) of a latent's form, trained with the model.

    Args:
        latent: that latent or its name; default: the posterior's latent with its options.
        options: of the latent, as texts; they replace those of the posterior's latent.

    >>> LearnedFamily("matrix-normal", covariance="full").spelled
    'learned:latent=matrix-normal,covariance=full'
    """

    latent: str | AbstractLatent | None = None
    options: dict[str, str] = field(default_factory=dict)

    free_options: ClassVar[str] = "options"
    title: ClassVar[str] = "the learned prior"
    meaning: ClassVar[str] = "the distribution of a latent, trained with the model"

    def __init__(self, latent: str | AbstractLatent | None = None, **options: str) -> None:
        latent = options.pop(OLD_WORD, latent)
        if isinstance(latent, AbstractLatent) and LATENTS.name_of(latent) is not None:
            latent, pairs = LATENTS.split(LATENTS.spell(latent))
            options = {**dict(pairs), **options}
        object.__setattr__(self, "latent", latent)
        object.__setattr__(self, "options", options)

    def latent_for(self, latent: AbstractLatent) -> AbstractLatent:
        """The latent whose distribution p(z) is, for a model with this one.

        Raises:
            UserError: an unknown latent or option, or codes of another shape than the model's.

        >>> from spatialvae.latents import LATENTS
        >>> LearnedFamily("naive").latent_for(LATENTS["low-rank"](maps=4, height=3, width=3))
        Naive(maps=4, height=3, width=3)
        """
        options = ",".join(f"{key}={value}" for key, value in self.options.items())
        if isinstance(self.latent, AbstractLatent):
            if options:
                raise UserError(f"{options} cannot stand beside the object {self.latent}: give it these options.")
            result = self.latent
        elif self.latent is None and not options:
            return latent
        elif self.latent is not None:
            result = parse_latent(f"{self.latent}:{options}", latent.event_shape)
        else:
            own = LATENTS.spell(latent)
            result = parse_latent(f"{own},{options}" if options else own)
        if result.event_shape != latent.event_shape:
            raise UserError(
                f"`prior` learned has codes of shape {list(result.event_shape)}, and the latent's are "
                f"{list(latent.event_shape)}: take latent=naive, or leave the sizes out."
            )
        return result

    def check(self, latent: AbstractLatent) -> None:
        self.latent_for(latent)

    def module(self, latent: AbstractLatent) -> LearnedPrior:
        return LearnedPrior(self.latent_for(latent))
