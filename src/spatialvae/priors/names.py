"""Which part of `PRIORS` a text means: p(z) of a model, or a family that is fitted after training."""

from __future__ import annotations

from typing import TypeVar

from spatialvae.errors import UserError
from spatialvae.priors.base import PRIORS, AbstractFamily, AbstractFittedFamily, AbstractModelFamily

__all__ = ["names_of", "parse_family", "parse_own", "prior_title"]

Family = TypeVar("Family", bound=AbstractFamily)


def parse_family(spec: str) -> AbstractFittedFamily:
    """The family to fit that a text such as ``mixture:components=20`` spells.

    Raises:
        UserError: an unknown name or option, a value that the family cannot take, or a prior that is not fitted.

    >>> parse_family("mixture:components=20")
    MixtureFamily(components=20)
    >>> parse_family("standard")
    Traceback (most recent call last):
    spatialvae.errors.UserError: The prior standard is not fitted: choose gaussian, mixture, flow or flow-matching.
    """
    return _parsed(spec, AbstractFittedFamily, "is not fitted")


def parse_own(spec: str) -> AbstractModelFamily:
    """The p(z) of a model that a text such as ``learned:latent=matrix-normal`` spells.

    Raises:
        UserError: an unknown name or option, or a prior that is fitted after training.

    >>> parse_own("learned:latent=matrix-normal,covariance=full").spelled
    'learned:latent=matrix-normal,covariance=full'
    >>> parse_own("gaussian")
    Traceback (most recent call last):
    spatialvae.errors.UserError: The prior gaussian is fitted after training: choose standard or learned.
    """
    return _parsed(spec, AbstractModelFamily, "is fitted after training")


def names_of(kind: type[AbstractFamily]) -> list[str]:
    """The names of the priors of one kind, in order of registration.

    >>> names_of(AbstractModelFamily)
    ['standard', 'learned']
    """
    return [name for name, part in PRIORS.items() if isinstance(part, type) and issubclass(part, kind)]


def prior_title(name: str) -> str:
    """What draws from a prior come from, in words.

    >>> prior_title("standard"), prior_title("mixture:components=20"), prior_title("mine")
    ('N(0, I)', 'the fitted mixture (components=20)', 'the prior mine')
    """
    family, _, options = name.partition(":")
    title = getattr(PRIORS.get(family), "title", None)
    if title is None:
        return f"the prior {name}"
    return f"{title} ({options})" if options else title


def _parsed(spec: str, kind: type[Family], otherwise: str) -> Family:
    family = PRIORS.parse(spec)
    if not isinstance(family, kind):
        *others, last = names_of(kind)
        raise UserError(f"The prior {spec} {otherwise}: choose {', '.join(others)} or {last}.")
    return family
