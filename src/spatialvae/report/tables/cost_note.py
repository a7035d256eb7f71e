"""The times that the ratios of a comparison's table are of."""

from __future__ import annotations

from spatialvae.report import spelling
from spatialvae.report.models import baseline_index, baseline_label
from spatialvae.results import Results

__all__ = ["cost_note"]


def cost_note(results: Results) -> str:
    """The baseline's own times, which the ratios are of; empty where they are not known."""
    index = baseline_index(results)
    cost = None if index is None else results.models[index].cost
    if cost is None:
        return ""
    rounds = f", timed in turn with the others over {cost.rounds} rounds" if cost.rounds else ""
    return (
        f"{baseline_label(results)} itself: {spelling.estimate(cost.epoch_seconds)} s an epoch, "
        f"{spelling.estimate(cost.generation_seconds)} s for 10,000 images{rounds}."
    )
