"""Normal distributions with Kronecker covariances, one or a mixture of several, fitted by expectation maximisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spatialvae.priors.codes import Codes
from spatialvae.priors.normal import CodeNormal, cholesky
from spatialvae.progress import Progress

__all__ = ["GAIN", "Components", "fit_components", "fit_kronecker", "standard_components"]

PASSES = 40
LIMIT = 10_000
"""Codes a pass: each is drawn anew, so that later passes see other draws of the same images."""
GAIN = 1e-3
"""Of a nat a number: held-out log-density that a round must gain, or the fit ends."""
FIRST = 5000
"""Codes that a first mean is made from."""
PSEUDO_CODES = 500.0
"""Codes that each component's covariance is held to its start by, where there are several: a Kronecker covariance of
128 maps has 8,000 numbers, and a component may have a few hundred codes."""
FEWEST = 1e-3
"""Codes (a sum of shares) below which a component keeps its place and shape."""


@dataclass(frozen=True, eq=False)
class Components:
    """A mixture: log-weights [K] and K normal distributions.

    Where there are labels, it also has log-weights given each label, [classes, K], minus infinity where a component is
    another class's own.
    """

    log_weights: Tensor
    normal: CodeNormal
    log_label_weights: Tensor | None = None

    def map(self, function: Callable[[Tensor], Tensor]) -> Components:
        """The mixture with `function` applied to its tensors."""
        labels = None if self.log_label_weights is None else function(self.log_label_weights)
        return Components(function(self.log_weights), self.normal.map(function), labels)

    def joint(self, codes: Tensor) -> Tensor:
        """log w_k + log N_k(z) in nats for codes [*S, maps, h, w]: [*S, K]."""
        return self.log_weights + self.normal.log_prob(codes)

    def shares(self, codes: Tensor, labels: Tensor | None) -> Tensor:
        """p(k | z, y) for codes [B, maps, h, w] with labels [B]: [B, K]; labels matter where classes own components.

        A code without a label (-1) may be of any component.
        """
        joint = self.joint(codes)
        if self.log_label_weights is not None and labels is not None:
            others = self.log_label_weights.isinf()
            others = torch.cat([others, torch.zeros_like(others[:1])])  # the last row, of label -1
            joint = joint.masked_fill(others[labels.to(joint.device)], -math.inf)
        return joint.softmax(-1)


def fit_kronecker(codes: Codes, axes: tuple[int, ...], progress: bool = False) -> CodeNormal:
    """The normal distribution of largest likelihood among those with a Kronecker covariance along `axes` (flip-flop).

    References: P. Dutilleul, The MLE algorithm for the matrix normal distribution, 1999.
    """
    # The first round of passes makes the start's covariances its own, whatever they are.
    mean = torch.cat([drawn for drawn, _ in codes.draws(limit=FIRST)]).mean(0, keepdim=True)
    return fit_components(codes, standard_components(mean, axes), progress).normal.one(0)


def fit_components(codes: Codes, start: Components, progress: bool = False) -> Components:
    """Expectation maximisation from `start`, one axis' covariances a pass, until held-out codes gain no more.

    With shares r_ik = p(k | z_i) and V the centred codes, whitened along all axes but a and unfolded along it,

        w_k = n_k / n,   m_k = sum_i r_ik z_i / n_k,   C_a,k = (sum_i r_ik V_ik V_ik^T d_a / D + c C_a) / (n_k + c),

    n_k = sum_i r_ik and the covariance C_a of the start, which counts as c = 500 codes. Updating one axis at a time
    never lowers the (penalised) likelihood of the codes of a pass; the best by held-out codes is returned.
    """
    best, best_score, current = start, held_out(codes, start), start
    round_score = best_score
    with Progress("passes over the codes, at most", PASSES, shown=progress) as work:
        for step in range(PASSES):
            axis = step % len(start.normal.axes)
            current = _updated(current, start.normal.factors[axis], codes.draws(limit=LIMIT), axis)
            score = held_out(codes, current)
            work.advance(1)
            if score > best_score:
                best, best_score = current, score
            if axis == len(start.normal.axes) - 1:
                if best_score - round_score < GAIN * current.normal.event_shape.numel():
                    break
                round_score = best_score
    return best


def held_out(codes: Codes, components: Components) -> float:
    """The mean log-density of the held-out codes in nats."""
    parts = codes.held_out.to(components.log_weights.device).split(500)
    return torch.cat([components.joint(part).logsumexp(-1) for part in parts]).double().mean().item()


def standard_components(centres: Tensor, axes: tuple[int, ...], owners: Tensor | None = None) -> Components:
    """Components of equal weight and unit covariance at `centres` [K, maps, h, w], with the classes that own them."""
    factors = [torch.eye(size).to(centres).expand(len(centres), size, size) for size in axes]
    weights = torch.full((len(centres),), -math.log(len(centres))).to(centres)
    labels = None if owners is None else owners.to(centres).log()
    return Components(weights, CodeNormal(centres, tuple(factors)), labels)


def _updated(old: Components, first: Tensor, draws: Iterator[tuple[Tensor, Tensor | None]], axis: int) -> Components:
    """One pass: the shares under `old`, then weights, means and the covariances of one axis."""
    components, axes = len(old.log_weights), old.normal.axes
    size, rest = axes[axis], old.normal.event_shape.numel() // axes[axis]
    mass = old.log_weights.new_zeros(components)
    sums = torch.zeros_like(old.normal.loc)
    scatter = old.normal.loc.new_zeros(components, size, size)
    for codes, labels in draws:
        shares = old.shares(codes, labels)
        mass += shares.sum(0)
        for k in range(components):
            weighted = (codes - old.normal.loc[k]) * shares[:, k, None, None, None].sqrt()
            scatter[k] += _scatter(weighted.reshape(-1, *axes), old.normal.one(k), axis)
            sums[k] += (weighted * shares[:, k, None, None, None].sqrt()).sum(0)
    safe = mass.clamp(min=FEWEST)
    step = sums / safe[:, None, None, None]
    # The scatter about the new means: that about the old ones less what the means moved by.
    moved = [_scatter(step[k].reshape(1, *axes), old.normal.one(k), axis) for k in range(components)]
    alive = (mass > FEWEST)[:, None, None]
    pseudo = PSEUDO_CODES if components > 1 else 0.0
    covariance = (scatter - torch.stack(moved) * safe[:, None, None] + pseudo * rest * first @ first.mT) / (
        rest * (safe[:, None, None] + pseudo)
    )
    factors = list(old.normal.factors)
    factors[axis] = torch.where(alive, cholesky(torch.where(alive, covariance, first @ first.mT)), first)
    normal = CodeNormal(torch.where(alive[..., None], old.normal.loc + step, old.normal.loc), tuple(factors))
    log_weights = (safe / safe.sum()).log()
    return replace(old, log_weights=log_weights, normal=normal)


def _scatter(offset: Tensor, normal: CodeNormal, axis: int) -> Tensor:
    """sum_i V_i V_i^T [d, d] for offsets [n, *axes], whitened along all axes but one and unfolded along it."""
    for other, factor in enumerate(normal.factors, start=1):
        if other != axis + 1:
            moved = offset.movedim(other, 0)
            solved = torch.linalg.solve_triangular(factor, moved.flatten(1), upper=False)
            offset = solved.reshape(moved.shape).movedim(0, other)
    unfolded = offset.movedim(axis + 1, 0).flatten(1)
    return unfolded @ unfolded.mT
