"""A prior that is trained with the model: the law of a latent, with free parameters in place of an encoder's."""

from __future__ import annotations

from torch import nn
from torch.distributions import Distribution

from spatialvae.errors import UserError, nearest
from spatialvae.latents import LATENTS, AbstractLatent, parse_latent
from spatialvae.runtime.precision import unrounded

__all__ = ["PRIORS", "LearnedPrior", "parse_prior"]

PRIORS = ("standard", "learned")
"""What p(z) may be while a model trains."""


class LearnedPrior(nn.Module):
    """p(z), the law of `latent` with one set of parameters for all images; it starts as N(0, I).

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
        return self.latent.distribution({name: unrounded(parameter) for name, parameter in self.free.items()})


def parse_prior(spec: str, latent: AbstractLatent) -> AbstractLatent | None:
    """The latent whose law `learned` or `learned:law=matrix-normal,covariance=full` spells; None for `standard`.

    Args:
        latent: the posterior's, whose law and options hold where `spec` leaves them out.

    Raises:
        UserError: an unknown prior, law or option, or a law of other codes than the posterior's.

    >>> from spatialvae.latents import LATENTS
    >>> parse_prior("learned:law=naive", LATENTS["low-rank"](maps=4, height=3, width=3))
    Naive(maps=4, height=3, width=3)
    """
    name, _, rest = spec.strip().partition(":")
    if name not in PRIORS:
        raise UserError(f"There is no prior {name!r} to train with. {nearest(name, PRIORS)}")
    options = [item for item in rest.split(",") if item]
    if name == "standard":
        if options:
            raise UserError(f"The prior standard takes no options, and {rest!r} came: write --prior standard.")
        return None
    laws = [item.partition("=")[2] for item in options if item.startswith("law=")]
    others = ",".join(item for item in options if not item.startswith("law="))
    if laws:
        found = parse_latent(f"{laws[-1]}:{others}", latent.event_shape)
    else:
        own = LATENTS.spell(latent)
        found = parse_latent(f"{own},{others}" if others else own)
    if found.event_shape != latent.event_shape:
        raise UserError(
            f"--prior {spec} is a law of codes {list(found.event_shape)}, and the latent's are "
            f"{list(latent.event_shape)}: take law=naive, or leave the sizes out."
        )
    return found
