"""A mixture of Gaussians fitted to the aggregate posterior: the simplest prior with several modes, and with classes."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.errors import UserError
from spatialvae.priors.base import AbstractDirectFamily, AbstractFamily, AbstractPrior, Codes, MappedCodes, checked
from spatialvae.priors.centres import centres_of, share_covariance
from spatialvae.priors.conditional import GivenCells
from spatialvae.priors.gaussian import GaussianFamily, GaussianPrior
from spatialvae.priors.kronecker import Components, fit_components, held_out, standard_components, with_labels
from spatialvae.priors.normal import JITTER, SMALLEST, CodeNormal, axes_of
from spatialvae.progress import bar

__all__ = ["MixtureFamily", "MixturePrior"]

LARGEST_FULL = 256
"""Numbers of a code up to which every component has a covariance of all of them."""
SMALL_LIMIT = 20_000
ROUNDS = 30
STEPS = 5
BASE = "gaussian."
"""What the names of the base's tensors begin with."""


@dataclass(frozen=True)
class MixtureFamily(AbstractDirectFamily):
    """`components` Gaussians: full covariances up to 256 numbers, beyond them Kronecker ones in whitened coordinates.

    Beyond 256 numbers the components lie in y = C^(-1/2) (z - m) and begin with the identity: up to 4,096 numbers C is
    the full covariance that all share about their centres, beyond them that of the fitted Gaussian.

    >>> MixtureFamily(components=20).spelled
    'mixture:components=20'
    """

    components: int = 10

    name: ClassVar[str] = "mixture"
    meaning: ClassVar[str] = "several Gaussians; knows labels; full covariances up to 256 numbers, Kronecker beyond"

    def __post_init__(self) -> None:
        if self.components < 1:
            raise UserError(f"mixture:components={self.components} is not possible: use at least components=1.")

    def axes(self, event_shape: tuple[int, int, int]) -> tuple[int, ...]:
        """The axes of every component's covariance."""
        if math.prod(event_shape) <= LARGEST_FULL:
            return (math.prod(event_shape),)
        return tuple(size for size in axes_of(event_shape, LARGEST_FULL) if size > 1)

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
        if math.prod(codes.event_shape) <= LARGEST_FULL:
            found, base, said = with_labels(codes, _fit_small(codes, self.components, progress)), None, list[str]()
        else:
            base, said = GaussianFamily().fit(codes, progress=progress)
            base = base.to(codes.held_out.device)
            centres, owners = centres_of(MappedCodes(codes, base.whiten), self.components)
            if len(base.law.axes) == 1:
                base, centres = share_covariance(codes, base, centres, owners)
            seen = MappedCodes(codes, base.whiten)
            places = centres.reshape(-1, *codes.event_shape)
            start = standard_components(places, self.axes(codes.event_shape), owners)
            found, base = with_labels(seen, fit_components(seen, start, progress)), base.to("cpu")
        return MixturePrior(self, found.map(lambda tensor: tensor.float().cpu()), base), said

    def restore(self, event_shape: tuple[int, int, int], tensors: dict[str, Tensor]) -> MixturePrior:
        k, axes = self.components, self.axes(event_shape)
        wanted = {"log_weights": (k,), "loc": (k, *event_shape)}
        wanted |= {f"factor_{i}": (k, size, size) for i, size in enumerate(axes)}
        labels = tensors.get("log_label_weights")
        if labels is not None:
            wanted["log_label_weights"] = (len(labels), k)
        own = {name: tensor for name, tensor in tensors.items() if not name.startswith(BASE)}
        checked(self.name, own, wanted)
        base = None
        if math.prod(event_shape) > LARGEST_FULL:
            parts = {name.removeprefix(BASE): tensor for name, tensor in tensors.items() if name.startswith(BASE)}
            base = GaussianFamily().restore(event_shape, parts)
        law = CodeNormal(tensors["loc"], tuple(tensors[f"factor_{i}"] for i in range(len(axes))))
        return MixturePrior(self, Components(tensors["log_weights"], law, labels), base)


class MixturePrior(AbstractPrior):
    """z ~ sum_k w_k N(m_k, C_k) over whole codes, or so for y = whiten(z): batch [], event [maps, height, width].

    Given a label y the weights are p(k | y), from the shares of the images of that class: the code is taken to depend
    on the label through its component alone.

    Args:
        components: weights and laws.
        base: the Gaussian in whose whitened coordinates they are; None for the codes' own.

    >>> law = CodeNormal(torch.tensor([-3.0, 3.0]).reshape(2, 1, 1, 1), (torch.ones(2, 1, 1),))
    >>> prior = MixturePrior(MixtureFamily(2), Components(torch.tensor([0.5, 0.5]).log(), law))
    >>> prior.mean.item(), prior.sample([4]).shape
    (0.0, torch.Size([4, 1, 1, 1]))
    """

    def __init__(self, family: AbstractFamily, components: Components, base: GaussianPrior | None = None) -> None:
        self.components, self.base = components, base
        labels = components.log_label_weights
        self.classes = 0 if labels is None else len(labels)
        super().__init__(family, components.law.event_shape)

    @property
    def mean(self) -> Tensor:
        weights = self.components.log_weights.softmax(0)
        mean = (weights[:, None, None, None] * self.components.law.loc).sum(0)
        return mean if self.base is None else self.base.colour(mean)

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape, law = torch.Size(sample_shape), self.components.law
        chosen = torch.multinomial(self.components.log_weights.exp(), shape.numel(), replacement=True)
        codes = law.loc.new_empty(shape.numel(), *self.event_shape)
        for k in chosen.unique().tolist():
            mine = chosen == k
            codes[mine] = law.one(k).sample(int(mine.sum()))
        return (codes if self.base is None else self.base.colour(codes)).reshape(*shape, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        if self.base is None:
            return self.components.joint(value).logsumexp(-1)
        return self.components.joint(self.base.whiten(value)).logsumexp(-1) - self.base.log_volume

    def tempered(self, temperature: float) -> MixturePrior:
        found = replace(self.components, law=self.components.law.scaled(temperature))
        return MixturePrior(self.family, found, self.base)

    def given_label(self, label: int) -> MixturePrior:
        self.check_label(label)
        labels = self.components.log_label_weights
        assert labels is not None
        return MixturePrior(self.family, Components(labels[label], self.components.law), self.base)

    def given_cells(self, code: Tensor, known: Tensor) -> Distribution:
        own = self.components.law
        law, evidence = (own if self.base is None else self.base.coloured(own)).given(code, known)
        weights = (self.components.log_weights + evidence).log_softmax(0)
        return GivenCells(MixturePrior(self.family, Components(weights, law)), code, known)

    def tensors(self) -> dict[str, Tensor]:
        found, labels = self.components, self.components.log_label_weights
        factors = {f"factor_{i}": factor for i, factor in enumerate(found.law.factors)}
        extra = {} if labels is None else {"log_label_weights": labels}
        base = {} if self.base is None else {BASE + name: tensor for name, tensor in self.base.tensors().items()}
        return {"log_weights": found.log_weights, "loc": found.law.loc, **factors, **extra, **base}

    def to(self, device: torch.device | str) -> MixturePrior:
        base = None if self.base is None else self.base.to(device)
        return MixturePrior(self.family, self.components.map(lambda tensor: tensor.to(device)), base)


def _fit_small(codes: Codes, components: int, progress: bool) -> Components:
    """scikit-learn's mixtures, one for each class that owns components, a few steps at a time while that helps."""
    centres, owners = centres_of(codes, components)
    passes = -(-SMALL_LIMIT // len(codes))  # few images are drawn from several times each
    drawn = [part for _ in range(passes) for part in codes.draws(limit=SMALL_LIMIT)]
    flat = torch.cat([part for part, _ in drawn]).flatten(1).cpu().double()
    groups = [(flat, torch.ones(components, dtype=torch.bool))]
    if owners is not None:
        labels = torch.cat([own for _, own in drawn if own is not None]).cpu()
        groups = [(flat[labels == label], own) for label, own in enumerate(owners.cpu()) if own.any()]
    jitter = JITTER * max(flat.var(0).mean().item(), SMALLEST)
    fits = [_ClassMixture(group, own, centres.cpu().double()[own], jitter) for group, own in groups]
    best, found = -math.inf, None
    with bar("rounds of the mixture, at most", ROUNDS, progress) as advance:
        for _ in range(ROUNDS):
            for fit in fits:
                fit.go_on()
            now = _assembled(fits, components, len(flat), codes.event_shape, owners)
            score = held_out(codes, now)
            advance(1)
            if score <= best + 1e-4 * flat.shape[1]:
                break
            best, found = score, now
    assert found is not None
    return found


class _ClassMixture:
    """A scikit-learn mixture of some of the codes, fitted a few steps at a time."""

    def __init__(self, codes: Tensor, own: Tensor, centres: Tensor, jitter: float) -> None:
        from sklearn.mixture import GaussianMixture

        seed = int(torch.randint(2**31 - 1, ()).item())
        self.codes, self.own = codes, own
        self.model = GaussianMixture(
            len(centres),
            means_init=centres.numpy(),
            warm_start=True,
            max_iter=STEPS,
            reg_covar=jitter,
            random_state=seed,
        )

    def go_on(self) -> None:
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a few steps are no convergence, and need not be
            self.model.fit(self.codes.numpy())


def _assembled(
    fits: list[_ClassMixture], components: int, count: int, event_shape: tuple[int, int, int], owners: Tensor | None
) -> Components:
    """One mixture of all classes' mixtures, each with its class's share of the `count` codes."""
    numbers = math.prod(event_shape)
    weights = torch.zeros(components, dtype=torch.float64)
    means, covariances = weights.new_zeros(components, numbers), weights.new_zeros(components, numbers, numbers)
    for fit in fits:
        share = len(fit.codes) / count
        weights[fit.own] = share * torch.from_numpy(fit.model.weights_)
        means[fit.own] = torch.from_numpy(fit.model.means_)
        covariances[fit.own] = torch.from_numpy(fit.model.covariances_)
    law = CodeNormal(means.reshape(components, *event_shape), (torch.linalg.cholesky(covariances),)).map(Tensor.float)
    labels = None if owners is None else owners.cpu().float().log()
    return Components(weights.clamp(min=1e-12).log().float(), law, labels)
