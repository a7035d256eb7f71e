"""Which model is the best by a metric, named only where intervals over several seeds leave no tie."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from spatialvae.comparison.paired import paired_by_image, paired_by_seed, unpaired
from spatialvae.metrics import Evaluation
from spatialvae.metrics.catalogue import describe
from spatialvae.results import Difference

__all__ = ["best", "difference", "keys"]


def keys(runs: Sequence[Evaluation]) -> list[str]:
    """The metrics that every seed of a model has."""
    return [key for key in runs[0].metrics if all(key in run.metrics for run in runs)]


def difference(model: Sequence[Evaluation], baseline: Sequence[Evaluation], key: str) -> Difference | None:
    """A model minus another by metric `key`, paired by seed and, where there is one value an image, by image.

    Args:
        model: its runs, in the order of their seeds.
        baseline: its runs, in the order of the same seeds.

    Returns:
        The difference; None where one of them lacks the metric, or nothing is known about its spread.
    """
    if key not in keys(model) or key not in keys(baseline):
        return None
    if all(key in run.values for run in (*model, *baseline)):
        return paired_by_image(*(torch.stack([run.values[key] for run in runs]) for runs in (model, baseline)))
    if len(model) == 1:
        return unpaired(model[0].metrics[key], baseline[0].metrics[key])
    sides = (torch.tensor([run.metrics[key].value for run in runs]).double() for runs in (model, baseline))
    return paired_by_seed(*sides)


def best(models: Sequence[Sequence[Evaluation]], key: str) -> int | None:
    """The index of the best model, if its interval against every other model that has the metric excludes a tie.

    Returns:
        The index; None for a tie, for one seed, whose intervals leave out how much trainings differ, for a metric of
        which neither more nor less is better, and where fewer than two models have the metric.
    """
    better = describe(key).better
    held = [index for index, runs in enumerate(models) if key in keys(runs)]
    if not better or len(held) < 2 or min(map(len, models)) < 2:
        return None
    means = {index: sum(run.metrics[key].value for run in models[index]) / len(models[index]) for index in held}
    first = (max if better == "higher" else min)(held, key=means.__getitem__)
    for other in held:
        if other != first:
            ahead = difference(models[first], models[other], key)
            if ahead is None or not ahead.excludes_tie:
                return None
    return first
