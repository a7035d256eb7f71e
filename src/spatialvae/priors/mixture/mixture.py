"""A mixture of Gaussians fitted to the aggregate posterior: the simplest prior with several modes, and with classes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.errors import UserError
from spatialvae.priors.base import PRIORS, AbstractDirectFamily, AbstractFittedFamily, AbstractPrior
from spatialvae.priors.codes import Codes, MappedCodes
from spatialvae.priors.gaussian import GaussianFamily, GaussianPrior
from spatialvae.priors.labels import Labels
from spatialvae.priors.mixture.centres import centres_of
from spatialvae.priors.mixture.conditional import GivenCells
from spatialvae.priors.mixture.full_mixture import fit_full
from spatialvae.priors.mixture.kronecker import Components, fit_components, standard_components
from spatialvae.priors.mixture.label_weights import with_labels
from spatialvae.priors.normal import CodeNormal, axes_of
from spatialvae.priors.signal import signal_directions
from spatialvae.tensors import check_shapes

__all__ = ["MixtureFamily", "MixturePrior"]

LARGEST_FULL = 256
"""Directions of whitened codes that every component has a covariance of, at most."""
BASE = "gaussian."
"""What the names of the base's tensors begin with."""


@PRIORS.register("mixture")
@dataclass(frozen=True)
class MixtureFamily(AbstractDirectFamily):
    """`components` Gaussians in the coordinates in which the codes are white, y = C^(-1/2) (z - m).

    Up to 4,096 numbers they have full covariances of the (at most 256) directions that tell images apart, and share
    the noise N(0, I) of the others. Beyond, their covariances are Kronecker products, and begin with the identity.

    >>> MixtureFamily(components=20).spelled
    'mixture:components=20'
    """

    components: int = 10

    title: ClassVar[str] = "the fitted mixture"
    meaning: ClassVar[str] = "several Gaussians; knows labels; full covariances up to 4,096 numbers, Kronecker beyond"

    def __post_init__(self) -> None:
        if self.components < 1:
            raise UserError(f"mixture:components={self.components} is not possible: use at least components=1.")

    def check(self, images: int) -> None:
        super().check(images)
        if self.components > images:
            raise UserError(
                f"mixture:components={self.components} is more than there are codes ({images:,}): "
                f"use at most components={images}."
            )

    def fit(self, codes: Codes, *, progress: bool = False) -> tuple[MixturePrior, list[str]]:
        """The mixture of largest likelihood on draws from the aggregate posterior, stopped by held-out codes.

        Raises:
            UserError: more components than images.
        """
        self.check(len(codes))
        base, said = GaussianFamily().fit(codes, progress=progress)
        base, basis = base.to(codes.held_out.device), None
        if len(base.law.axes) == 1:
            basis = signal_directions(codes, base)[:, :LARGEST_FULL]
            seen = MappedCodes(codes, partial(_seen, base, basis))
            found = fit_full(seen, self.components, progress)
        else:
            seen = MappedCodes(codes, base.whiten)
            centres, owners = centres_of(seen, self.components)
            start = standard_components(centres.reshape(-1, *codes.event_shape), base.law.axes, owners)
            found = fit_components(seen, start, progress)
        return MixturePrior(self, with_labels(seen, found), base, basis).to("cpu"), said

    def restore(self, event_shape: tuple[int, int, int], tensors: dict[str, Tensor]) -> MixturePrior:
        k, axes, shape = self.components, axes_of(event_shape), event_shape
        wanted: dict[str, tuple[int, ...]] = {"log_weights": (k,)}
        basis, labels = tensors.get("basis"), tensors.get("log_label_weights")
        if len(axes) == 1:
            directions = 0 if basis is None else basis.shape[-1]
            wanted["basis"] = (math.prod(event_shape), directions)
            axes, shape = (directions,), (directions, 1, 1)
        wanted |= {"loc": (k, *shape), **{f"factor_{i}": (k, size, size) for i, size in enumerate(axes)}}
        if labels is not None:
            wanted["log_label_weights"] = (len(labels), k)
        own = {name: tensor for name, tensor in tensors.items() if not name.startswith(BASE)}
        check_shapes(f"This is no {self.name} prior of this model", own, wanted)
        parts = {name.removeprefix(BASE): tensor for name, tensor in tensors.items() if name.startswith(BASE)}
        law = CodeNormal(tensors["loc"], tuple(tensors[f"factor_{i}"] for i in range(len(axes))))
        base = GaussianFamily().restore(event_shape, parts)
        return MixturePrior(self, Components(tensors["log_weights"], law, labels), base, basis)


class MixturePrior(AbstractPrior):
    """z ~ sum_k w_k N(m_k, C_k) over whole codes, or so for y = whiten(z): batch [], event [maps, height, width].

    With directions B the components are a law of s = B^T y, and (I - B B^T) y is noise of variance 1 beside it:

        log p(z) = log sum_k w_k N(s; m_k, C_k) + log N((I - B B^T) y; 0, I - B B^T) - log|det colour|.

    Given a label y the weights are p(k | y), those of largest likelihood of the codes of that class: the code is taken
    to depend on the label through its component alone.

    Args:
        components: weights and laws.
        base: the Gaussian in whose whitened coordinates they are; None for the codes' own.
        basis: orthonormal directions of these coordinates [numbers, k]; None for all of them.

    >>> law = CodeNormal(torch.tensor([-3.0, 3.0]).reshape(2, 1, 1, 1), (torch.ones(2, 1, 1),))
    >>> prior = MixturePrior(MixtureFamily(2), Components(torch.tensor([0.5, 0.5]).log(), law))
    >>> prior.mean.item(), prior.sample([4]).shape
    (0.0, torch.Size([4, 1, 1, 1]))
    """

    def __init__(
        self,
        family: AbstractFittedFamily,
        components: Components,
        base: GaussianPrior | None = None,
        basis: Tensor | None = None,
        *,
        temperature: float = 1.0,
    ) -> None:
        self.components, self.base, self.basis, self.temperature = components, base, basis, temperature
        by_label = components.log_label_weights
        self.labels = Labels.numbered(0 if by_label is None else len(by_label))
        super().__init__(family, components.law.event_shape if base is None else base.event_shape)

    @property
    def mean(self) -> Tensor:
        weights = self.components.log_weights.softmax(0)
        mean = (weights[:, None, None, None] * self.components.law.loc).sum(0)
        return self._codes(mean[None], temperature=0.0)[0]

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape, law = torch.Size(sample_shape), self.components.law
        chosen = torch.multinomial(self.components.log_weights.exp(), shape.numel(), replacement=True)
        drawn = law.loc.new_empty(shape.numel(), *law.event_shape)
        for k in chosen.unique().tolist():
            mine = chosen == k
            drawn[mine] = law.one(k).sample(int(mine.sum()))
        return self._codes(drawn, self.temperature).reshape(*shape, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        if self.base is None:
            return self.components.joint(value).logsumexp(-1)
        white = self.base.whiten(value)
        if self.basis is None:
            return self.components.joint(white).logsumexp(-1) - self.base.log_volume
        seen = _along(self.basis, white)
        rest = (white.flatten(-3).square().sum(-1) - seen.flatten(-3).square().sum(-1)) / self.temperature**2
        others = len(self.basis) - self.basis.shape[1]
        noise = -0.5 * rest - others * (math.log(self.temperature) + 0.5 * math.log(2 * math.pi))
        return self.components.joint(seen).logsumexp(-1) + noise - self.base.log_volume

    def tempered(self, temperature: float) -> MixturePrior:
        found = replace(self.components, law=self.components.law.scaled(temperature))
        return self._changed(components=found, temperature=self.temperature * temperature)

    def given_label(self, label: int | str) -> MixturePrior:
        number, by_label = self.class_of(label), self.components.log_label_weights
        assert by_label is not None
        found = Components(by_label[number], self.components.law)
        return MixturePrior(self.family, found, self.base, self.basis, temperature=self.temperature)

    def given_cells(self, code: Tensor, known: Tensor) -> Distribution:
        law, evidence = self.over_codes().given(code, known)
        weights = (self.components.log_weights + evidence).log_softmax(0)
        return GivenCells(MixturePrior(self.family, Components(weights, law)), code, known)

    def over_codes(self) -> CodeNormal:
        """The components' laws over whole codes.

        Of directions B and a factor L a square root of I - B B^T + B L L^T B^T is I - B B^T + B L B^T.
        """
        law, basis = self.components.law, self.basis
        if self.base is None:
            return law
        if basis is not None:
            noise = self.temperature * (torch.eye(len(basis)).to(basis) - basis @ basis.mT)
            loc = (law.loc.flatten(1) @ basis.mT).reshape(-1, *self.event_shape)
            law = CodeNormal(loc, (noise + basis @ law.factors[0] @ basis.mT,))
        return self.base.coloured(law)

    def tensors(self) -> dict[str, Tensor]:
        found, labels = self.components, self.components.log_label_weights
        factors = {f"factor_{i}": factor for i, factor in enumerate(found.law.factors)}
        extra = {} if labels is None else {"log_label_weights": labels}
        extra |= {} if self.basis is None else {"basis": self.basis}
        base = {} if self.base is None else {BASE + name: tensor for name, tensor in self.base.tensors().items()}
        return {"log_weights": found.log_weights, "loc": found.law.loc, **factors, **extra, **base}

    def to(self, device: torch.device | str) -> MixturePrior:
        base = None if self.base is None else self.base.to(device)
        basis = None if self.basis is None else self.basis.to(device)
        found = self.components.map(lambda tensor: tensor.to(device))
        return self._changed(components=found, base=base, basis=basis)

    def _codes(self, seen: Tensor, temperature: float) -> Tensor:
        """The codes of what the components are a law of, [n, *], with noise along the other directions."""
        if self.base is None:
            return seen
        if self.basis is None:
            return self.base.colour(seen)
        noise = temperature * torch.randn(len(seen), len(self.basis)).to(seen)
        white = noise + (seen.flatten(1) - noise @ self.basis) @ self.basis.mT
        return self.base.colour(white.reshape(-1, *self.event_shape))


def _along(basis: Tensor, white: Tensor) -> Tensor:
    """B^T y of whitened codes [*S, maps, h, w]: [*S, k, 1, 1]."""
    return (white.flatten(-3) @ basis)[..., None, None]


def _seen(base: GaussianPrior, basis: Tensor, codes: Tensor) -> Tensor:
    return _along(basis, base.whiten(codes))
