"""What ± and the intervals of a comparison are over, and what the number of its seeds leaves open."""

from __future__ import annotations

import re
from collections.abc import Sequence

from spatialvae.estimate import ONE_TRAINING
from spatialvae.report import spelling
from spatialvae.results import Results

__all__ = ["intervals", "left_open"]


def intervals(seeds: Sequence[int]) -> str:
    """What ± is over.

    >>> intervals([0, 1, 2]), intervals([0])
    ('over 3 seeds', 'over images, this training only')
    """
    return f"over {len(seeds)} seeds" if len(seeds) > 1 else ONE_TRAINING


def left_open(results: Results) -> str:
    """What one or two seeds cannot tell, and what another seed costs; empty for more.

    >>> from spatialvae.results import ModelResult
    >>> models, command = (ModelResult("naive"), ModelResult("vector")), "spatialvae compare --seeds 1 --out a"
    >>> results = Results(models=models, command=command, seeds=(0,), training_seconds=140.0)
    >>> print(left_open(results).partition(". ")[2])
    A second seed of every model costs about 2.3 minutes of training, and its evaluation: spatialvae compare --out a \
--seeds 2
    """
    seeds = len(results.seeds)
    if seeds > 2 or len(results.models) < 2:
        return ""
    if seeds == 2:
        start = "With two seeds an interval reaches 12.7 standard errors to each side (Student's t), with three 4.3."
    else:
        start = "How much another training differs is not known: it is often more than these intervals."
    taken = results.training_seconds
    time = f"about {spelling.duration(taken / max(seeds, 1))} of training" if taken else "as much training as the first"
    which = "second" if seeds < 2 else "third"
    return f"{start} A {which} seed of every model costs {time}, and its evaluation: {_command(results, seeds + 1)}"


def _command(results: Results, seeds: int) -> str:
    """The line that made the comparison, with another number of seeds: what is trained already is used again."""
    seeds = max(seeds, 2)
    if results.command.startswith("spatialvae.compare("):
        call = re.sub(r", seeds=\d+", "", results.command)
        return f"{call.removesuffix(')')}, seeds={seeds})"
    line = re.sub(r"\s--seeds[\s=]+\S+", "", results.command).strip()
    return f"{line or 'spatialvae compare'} --seeds {seeds}"
