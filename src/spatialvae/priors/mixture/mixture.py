"""A mixture of Gaussians fitted to the aggregate posterior: the simplest prior with several modes, and with classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from spatialvae.errors import UserError
from spatialvae.priors.base import PRIORS, AbstractDirectFamily, AbstractFittedFamily, AbstractPrior
from spatialvae.priors.codes import Codes, MappedCodes
from spatialvae.priors.gaussian import GaussianFamily, GaussianPrior, register_factors
from spatialvae.priors.labels import Labels
from spatialvae.priors.mixture.centres import centres_of
from spatialvae.priors.mixture.full_mixture import fit_full
from spatialvae.priors.mixture.kronecker import Components, fit_components, standard_components
from spatialvae.priors.mixture.label_weights import with_labels
from spatialvae.priors.mixture.mixture_codes import MixtureCodes, along
from spatialvae.priors.normal import CodeNormal, axes_of
from spatialvae.priors.signal import signal_directions
from spatialvae.priors.solver import Solver
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
        base, notes = GaussianFamily().fit(codes, progress=progress)
        base, basis = base.to(codes.held_out.device), None
        if len(base.normal.axes) == 1:
            basis = signal_directions(codes, base)[:, :LARGEST_FULL]
            seen = MappedCodes(codes, partial(_seen, base, basis))
            components = fit_full(seen, self.components, progress)
        else:
            seen = MappedCodes(codes, base.whiten)
            centres, owners = centres_of(seen, self.components)
            start = standard_components(centres.reshape(-1, *codes.event_shape), base.normal.axes, owners)
            components = fit_components(seen, start, progress)
        return MixturePrior(self, with_labels(seen, components), base, basis).to("cpu"), notes

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
        normal = CodeNormal(tensors["loc"], tuple(tensors[f"factor_{i}"] for i in range(len(axes))))
        base = GaussianFamily().restore(event_shape, parts)
        return MixturePrior(self, Components(tensors["log_weights"], normal, labels), base, basis)


class MixturePrior(AbstractPrior):
    """z ~ sum_k w_k N(m_k, C_k) over whole codes, or so for y = whiten(z); see `MixtureCodes`.

    Given a label y the weights are p(k | y), those of largest likelihood of the codes of that class: the code is taken
    to depend on the label through its component alone.

    Args:
        family: what it was fitted as.
        components: weights, means and factors.
        base: the Gaussian in whose whitened coordinates they are; None for the codes' own.
        basis: orthonormal directions of these coordinates [numbers, k]; None for all of them.

    >>> import torch
    >>> normal = CodeNormal(torch.tensor([-3.0, 3.0]).reshape(2, 1, 1, 1), (torch.ones(2, 1, 1),))
    >>> prior = MixturePrior(MixtureFamily(2), Components(torch.tensor([0.5, 0.5]).log(), normal))
    >>> prior().mean.item(), prior().sample([4]).shape
    (0.0, torch.Size([4, 1, 1, 1]))
    """

    log_weights: Tensor
    loc: Tensor
    log_label_weights: Tensor | None
    basis: Tensor | None
    gaussian: GaussianPrior | None

    def __init__(
        self,
        family: AbstractFittedFamily,
        components: Components,
        base: GaussianPrior | None = None,
        basis: Tensor | None = None,
    ) -> None:
        super().__init__(family, components.normal.event_shape if base is None else base.event_shape)
        by_label = components.log_label_weights
        self.labels = Labels.numbered(0 if by_label is None else len(by_label))
        self.register_buffer("log_weights", components.log_weights)
        self.register_buffer("loc", components.normal.loc)
        self._factors = register_factors(self, components.normal)
        self.register_buffer("log_label_weights", by_label)
        self.register_buffer("basis", basis)
        self.gaussian = base

    @property
    def components(self) -> Components:
        """Weights, means and factors."""
        normal = CodeNormal(self.loc, tuple(self.get_buffer(name) for name in self._factors))
        return Components(self.log_weights, normal, self.log_label_weights)

    def distribution(self, label: int | None, temperature: float, solver: Solver) -> MixtureCodes:
        components, by_label = self.components, self.log_label_weights
        weights = components.log_weights if label is None or by_label is None else by_label[label]
        scaled = Components(weights, components.normal.scaled(temperature))
        return MixtureCodes(scaled, self.gaussian, self.basis, temperature)


def _seen(base: GaussianPrior, basis: Tensor, codes: Tensor) -> Tensor:
    return along(basis, base.whiten(codes))
