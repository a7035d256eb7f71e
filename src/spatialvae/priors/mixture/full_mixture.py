"""A mixture of Gaussians with full covariances, by scikit-learn."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from spatialvae.globals import globals_kept
from spatialvae.priors.codes import Codes
from spatialvae.priors.mixture.centres import centres_of
from spatialvae.priors.mixture.kronecker import GAIN, Components, held_out
from spatialvae.priors.normal import JITTER, SMALLEST, CodeNormal
from spatialvae.progress import Progress

__all__ = ["fit_full"]

LIMIT = 50_000
"""Codes that it is fitted to."""
ROUNDS = 30
STEPS = 5
DEALT_AT_ONCE = 500


def fit_full(codes: Codes, components: int, progress: bool) -> Components:
    """scikit-learn's, one for each class that owns components, a few steps at a time while held-out codes gain.

    Where classes own components, a code without a label is dealt to one of them anew before each round, by a draw from
    p(y | z) of the mixture so far.
    """
    centres, owners = centres_of(codes, components)
    passes = max(1, LIMIT // len(codes))  # few images are drawn from several times each
    drawn = [part for _ in range(passes) for part in codes.draws(limit=LIMIT)]
    flat = torch.cat([part for part, _ in drawn]).flatten(1).cpu().float()  # twice as fast as in float64
    groups, nobodys = [(flat, torch.ones(components, dtype=torch.bool))], flat[:0]
    if owners is not None:
        labels = torch.cat([own for _, own in drawn if own is not None]).cpu()
        groups = [(flat[labels == label], own) for label, own in enumerate(owners.cpu()) if own.any()]
        nobodys = flat[labels < 0]
    jitter = JITTER * max(flat.var(0).mean().item(), SMALLEST)
    fits = [_ClassMixture(group, own, centres.cpu().float()[own], jitter) for group, own in groups]
    best, mixture = -math.inf, None
    with Progress("rounds of the mixture, at most", ROUNDS, shown=progress) as work:
        for _ in range(ROUNDS):
            for fit, more in zip(fits, _dealt(mixture, nobodys, fits), strict=True):
                fit.go_on(more)
            now = _assembled(fits, components, codes.event_shape, owners)
            score = held_out(codes, now)
            work.advance(1)
            if score <= best + GAIN * flat.shape[1]:
                break
            best, mixture = score, now
    assert mixture is not None
    return mixture


class _ClassMixture:
    """A scikit-learn mixture of some of the codes, fitted a few steps at a time."""

    def __init__(self, codes: Tensor, own: Tensor, centres: Tensor, jitter: float) -> None:
        with globals_kept():  # the import alone draws from Python's random numbers
            from sklearn.mixture import GaussianMixture

        seed = int(torch.randint(2**31 - 1, ()).item())
        self.codes, self.own, self.count = codes, own, len(codes)
        self.model = GaussianMixture(
            len(centres),
            means_init=centres.numpy(),
            warm_start=True,
            max_iter=STEPS,
            reg_covar=jitter,
            random_state=seed,
        )

    def go_on(self, more: Tensor) -> None:
        """Some steps on the class's codes and `more`."""
        from sklearn.exceptions import ConvergenceWarning

        self.count = len(self.codes) + len(more)
        codes = torch.cat([self.codes, more])
        fewest = max(2, int(self.own.sum()))  # scikit-learn's
        codes = codes.repeat(-(-fewest // len(codes)), 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a few steps are no convergence, and need not be
            self.model.fit(codes.numpy())


def _dealt(mixture: Components | None, codes: Tensor, fits: list[_ClassMixture]) -> list[Tensor]:
    """For each of `fits` those of `codes` that a draw from p(y | z) deals to it; none before the first mixture."""
    if mixture is None or not len(codes):
        return [codes[:0] for _ in fits]
    parts = codes.reshape(-1, *mixture.normal.event_shape).split(DEALT_AT_ONCE)
    shares = torch.cat([mixture.joint(part).softmax(-1) for part in parts])
    component = torch.multinomial(shares, 1)[:, 0]
    return [codes[fit.own[component]] for fit in fits]


def _assembled(
    fits: list[_ClassMixture], components: int, event_shape: tuple[int, int, int], owners: Tensor | None
) -> Components:
    """One mixture of all classes' mixtures, each with its class's share of the codes."""
    numbers, count = math.prod(event_shape), sum(fit.count for fit in fits)
    weights = torch.zeros(components, dtype=torch.float64)
    means, covariances = weights.new_zeros(components, numbers), weights.new_zeros(components, numbers, numbers)
    for fit in fits:
        share = fit.count / count
        weights[fit.own] = share * torch.from_numpy(fit.model.weights_).double()
        means[fit.own] = torch.from_numpy(fit.model.means_).double()
        covariances[fit.own] = torch.from_numpy(fit.model.covariances_).double()
    normal = CodeNormal(means.reshape(components, *event_shape), (torch.linalg.cholesky(covariances),))
    labels = None if owners is None else owners.cpu().float().log()
    return Components(weights.clamp(min=1e-12).log().float(), normal.map(Tensor.float), labels)
