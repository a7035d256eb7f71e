"""Which components of a mixture a class uses: p(k | y), with the components held fixed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from spatialvae.priors.codes import Codes
from spatialvae.priors.mixture.kronecker import Components

__all__ = ["labelled_draws", "with_labels"]

CODES = 10_000
"""Codes that the weights are made from, shared by the classes evenly, but not fewer a class than the next number."""
CODES_A_CLASS = 1000
ROUNDS = 2000
SETTLED = 1e-5
"""Nats a code that the best other weights of a class may gain."""


def labelled_draws(codes: Codes, most: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Fresh draws of about `most` codes of each class, of all where there are fewer, in batches with their labels.

    They lie all over the images, since the first ones of a sorted source are all of one class.
    """
    counts = torch.tensor(codes.labels.counts)
    share = most / counts.clamp(min=1)
    for drawn, labels in codes.draws():
        if labels is not None:
            own = labels.cpu()
            kept = (own >= 0) & (torch.rand(len(own)) < share[own])
            yield drawn[kept.to(drawn.device)], labels[kept.to(labels.device)]


def with_labels(codes: Codes, components: Components) -> Components:
    """The same mixture with log p(k | y) for every class y; what is another class's own stays at minus infinity.

    The weights are those of largest likelihood of the class's codes z_1 ... z_n, sum_i log sum_k w_k N_k(z_i), which is
    concave in w. Expectation maximisation multiplies each weight by its gain,

        w_k <- w_k g_k,   g_k = 1/n sum_i N_k(z_i) / sum_j w_j N_j(z_i),

    and by concavity no weights are better than the present ones by more than max_k g_k - 1 nats a code: it ends when
    that is below 1e-5. A class without images has the weights of all codes.
    """
    if not codes.labels:
        return components
    draws = labelled_draws(codes, max(CODES_A_CLASS, CODES // len(codes.labels)))
    parts = [(components.normal.log_prob(drawn.to(components.log_weights)).double(), own) for drawn, own in draws]
    log_density, labels = (torch.cat(values).cpu() for values in zip(*parts, strict=True))
    weights = components.log_weights.double().softmax(0).cpu().repeat(len(codes.labels), 1)
    own = torch.ones_like(weights, dtype=torch.bool)
    if components.log_label_weights is not None:
        own = components.log_label_weights.isfinite().cpu()
    for label in labels.unique().tolist():
        weights[label] = 0.0
        weights[label, own[label]] = _best_weights(log_density[labels == label][:, own[label]])
    return replace(components, log_label_weights=weights.log().to(components.log_weights))


def _best_weights(log_density: Tensor) -> Tensor:
    """The weights [K] of largest likelihood of codes with these log-densities [n, K] under K distributions."""
    count, components = log_density.shape
    weights = log_density.new_full((components,), 1 / components)
    for _ in range(ROUNDS):
        evidence = (log_density + weights.log()).logsumexp(1, keepdim=True)
        gains = (log_density - evidence).exp().sum(0) / count
        weights = weights * gains
        if gains.max() - 1 < SETTLED:
            break
    return weights / weights.sum()
