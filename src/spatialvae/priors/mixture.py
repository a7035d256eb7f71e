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
from spatialvae.priors.base import AbstractFamily, AbstractPrior, Codes, checked
from spatialvae.priors.conditional import GivenCells
from spatialvae.priors.kronecker import Components, first_guess, fit_components, with_labels
from spatialvae.priors.normal import JITTER, CodeNormal, axes_of

__all__ = ["MixtureFamily", "MixturePrior"]

LARGEST_FULL = 256
"""Numbers of a code up to which every component has a covariance of all of them."""
SMALL_LIMIT = 20_000
ROUNDS = 30
STEPS = 5


@dataclass(frozen=True)
class MixtureFamily(AbstractFamily):
    """`components` Gaussians: full covariances up to 256 numbers, beyond them Kronecker ones, of maps and of sites.

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
        maps, height, width = event_shape
        if maps * height * width <= LARGEST_FULL:
            return (maps * height * width,)
        kronecker = axes_of(event_shape, LARGEST_FULL)
        return tuple(size for size in kronecker if size > 1)

    def fit(self, codes: Codes) -> tuple[MixturePrior, list[str]]:
        """The mixture of largest likelihood on draws from the aggregate posterior, stopped by held-out codes.

        Raises:
            UserError: more components than images.
        """
        if self.components > len(codes):
            raise UserError(
                f"mixture:components={self.components} is more than there are codes ({len(codes):,}): "
                f"use at most components={len(codes)}."
            )
        axes = self.axes(codes.event_shape)
        found = (
            _fit_small(codes, self.components)
            if math.prod(codes.event_shape) <= LARGEST_FULL
            else fit_components(codes, first_guess(codes, axes, self.components))
        )
        found = with_labels(codes, found)
        law = found.law.map(lambda tensor: tensor.float().cpu())
        labels = None if found.log_label_weights is None else found.log_label_weights.float().cpu()
        prior = MixturePrior(self, Components(found.log_weights.float().cpu(), law, labels))
        return prior, []

    def restore(self, event_shape: tuple[int, int, int], tensors: dict[str, Tensor]) -> MixturePrior:
        k, axes = self.components, self.axes(event_shape)
        wanted = {"log_weights": (k,), "loc": (k, *event_shape)}
        wanted |= {f"factor_{i}": (k, size, size) for i, size in enumerate(axes)}
        labels = tensors.get("log_label_weights")
        if labels is not None:
            wanted["log_label_weights"] = (len(labels), k)
        checked(self.name, tensors, wanted)
        law = CodeNormal(tensors["loc"], tuple(tensors[f"factor_{i}"] for i in range(len(axes))))
        return MixturePrior(self, Components(tensors["log_weights"], law, labels))


class MixturePrior(AbstractPrior):
    """z ~ sum_k w_k N(m_k, C_k) over whole codes: batch [], event [maps, height, width].

    Given a label y the weights are p(k | y), from the shares of the images of that class: the code is taken to depend
    on the label through its component alone.

    >>> law = CodeNormal(torch.tensor([-3.0, 3.0]).reshape(2, 1, 1, 1), (torch.ones(2, 1, 1),))
    >>> prior = MixturePrior(MixtureFamily(2), Components(torch.tensor([0.5, 0.5]).log(), law))
    >>> prior.mean.item(), prior.sample([4]).shape
    (0.0, torch.Size([4, 1, 1, 1]))
    """

    def __init__(self, family: AbstractFamily, components: Components) -> None:
        self.components = components
        labels = components.log_label_weights
        self.classes = 0 if labels is None else len(labels)
        super().__init__(family, components.law.event_shape)

    @property
    def mean(self) -> Tensor:
        weights = self.components.log_weights.softmax(0)
        return (weights[:, None, None, None] * self.components.law.loc).sum(0)

    @property
    def variance(self) -> Tensor:
        weights, law = self.components.log_weights.softmax(0)[:, None, None, None], self.components.law
        return (weights * (law.variance() + (law.loc - self.mean).square())).sum(0)

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape, law = torch.Size(sample_shape), self.components.law
        chosen = torch.multinomial(self.components.log_weights.exp(), shape.numel(), replacement=True)
        codes = law.loc.new_empty(shape.numel(), *self.event_shape)
        for k in chosen.unique().tolist():
            mine = chosen == k
            codes[mine] = law.one(k).sample(int(mine.sum()))
        return codes.reshape(*shape, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.components.joint(value).logsumexp(-1)

    def tempered(self, temperature: float) -> MixturePrior:
        return MixturePrior(self.family, replace(self.components, law=self.components.law.scaled(temperature)))

    def _of_label(self, label: int) -> MixturePrior:
        labels = self.components.log_label_weights
        assert labels is not None
        return MixturePrior(self.family, Components(labels[label], self.components.law))

    def given_cells(self, code: Tensor, known: Tensor) -> Distribution:
        law, evidence = self.components.law.given(code, known)
        weights = (self.components.log_weights + evidence).log_softmax(0)
        return GivenCells(MixturePrior(self.family, Components(weights, law)), code, known)

    def tensors(self) -> dict[str, Tensor]:
        found, labels = self.components, self.components.log_label_weights
        factors = {f"factor_{i}": factor for i, factor in enumerate(found.law.factors)}
        extra = {} if labels is None else {"log_label_weights": labels}
        return {"log_weights": found.log_weights, "loc": found.law.loc, **factors, **extra}

    def to(self, device: torch.device | str) -> MixturePrior:
        found, labels = self.components, self.components.log_label_weights
        moved = Components(
            found.log_weights.to(device),
            found.law.map(lambda tensor: tensor.to(device)),
            None if labels is None else labels.to(device),
        )
        return MixturePrior(self.family, moved)


def _fit_small(codes: Codes, components: int) -> Components:
    """scikit-learn's mixture, a few steps at a time, until held-out codes gain no more."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    flat = torch.cat([drawn for drawn, _ in codes.draws(limit=SMALL_LIMIT)]).flatten(1).cpu().double()
    seed = int(torch.randint(2**31 - 1, ()).item())
    jitter = JITTER * flat.var(0).mean().item()
    model = GaussianMixture(components, warm_start=True, max_iter=STEPS, reg_covar=jitter, random_state=seed)
    held_out = codes.held_out.flatten(1).cpu().double().numpy()
    best, found = -float("inf"), None
    for _ in range(ROUNDS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a few steps are no convergence, and need not be
            model.fit(flat.numpy())
        score = float(model.score(held_out))
        if score <= best + 1e-4 * flat.shape[1]:
            break
        best, found = score, (model.weights_.copy(), model.means_.copy(), model.covariances_.copy())
    assert found is not None
    weights, means, covariances = map(torch.from_numpy, found)
    loc = means.reshape(components, *codes.event_shape)
    law = CodeNormal(loc, (torch.linalg.cholesky(covariances),))
    return Components(weights.clamp(min=1e-12).log(), law)
