"""p(x|z): decoder output -> distribution over images; the table is the only place that lists the likelihoods."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from spatialvae.errors import UserError, nearest
from spatialvae.likelihoods.base import AbstractLikelihood, AbstractPixels
from spatialvae.likelihoods.bernoulli import Bernoulli
from spatialvae.likelihoods.discretized_logistic import DiscretizedLogistic
from spatialvae.likelihoods.gaussian import Gaussian
from spatialvae.spec import split_spec

__all__ = [
    "LIKELIHOODS",
    "AbstractLikelihood",
    "AbstractPixels",
    "Bernoulli",
    "DiscretizedLogistic",
    "Gaussian",
    "parse_likelihood",
]

LIKELIHOODS: dict[str, Callable[..., AbstractLikelihood]] = {
    "gaussian": Gaussian,
    "discretized-logistic": DiscretizedLogistic,
    "bernoulli": Bernoulli,
}
"""Every likelihood by its name on the command line."""


def parse_likelihood(spec: str) -> AbstractLikelihood:
    """The likelihood that a text such as ``gaussian:scale=0.1`` spells.

    Raises:
        UserError: an unknown name or option, or a scale that is not a positive number.

    >>> parse_likelihood("gaussian:scale=0.1").fixed
    0.1
    """
    name, pairs = split_spec(spec, "likelihood", LIKELIHOODS)
    parameters = inspect.signature(LIKELIHOODS[name]).parameters.values()
    known = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]  # not Module's *args
    options: dict[str, float] = {}
    for key, value in pairs:
        if key not in known:
            hint = nearest(key, known) if known else "It has none."
            raise UserError(f"{name} has no option {key!r}. {hint}")
        try:
            options[key] = float(value)
        except ValueError:
            options[key] = -1.0
        if not 0 < options[key] < float("inf"):
            raise UserError(
                f"{name}:{key}={value} is not possible: {key} is a positive number, for instance {key}=0.1."
            )
    return LIKELIHOODS[name](**options)
