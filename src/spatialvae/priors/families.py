"""The priors that can be fitted after training, one file each; the table is the only place that lists them."""

from __future__ import annotations

from spatialvae.errors import UserError, nearest
from spatialvae.priors.base import AbstractFamily
from spatialvae.priors.diffusion.diffusion import DiffusionFamily
from spatialvae.priors.flow.flow import FlowFamily
from spatialvae.priors.gaussian import GaussianFamily
from spatialvae.priors.mixture.mixture import MixtureFamily
from spatialvae.registry import options_of, split_spec

__all__ = ["FAMILIES", "parse_family"]

FAMILIES: dict[str, type[AbstractFamily]] = {
    family.name: family for family in (GaussianFamily, MixtureFamily, FlowFamily, DiffusionFamily)
}
"""Every family by its name on the command line."""


def parse_family(spec: str) -> AbstractFamily:
    """The family that a text such as ``mixture:components=20`` spells.

    Raises:
        UserError: an unknown name or option, or a value that the family cannot take.

    >>> parse_family("mixture:components=20")
    MixtureFamily(components=20)
    """
    name, pairs = split_spec(spec, "prior to fit", FAMILIES)
    known = options_of(FAMILIES[name])
    options = {}
    for key, value in pairs:
        if key not in known:
            hint = nearest(key, known) if known else "It has none."
            raise UserError(f"{name} has no option {key!r}. {hint}")
        options[key] = known[key].parse(name, value)
    return FAMILIES[name](**options)
