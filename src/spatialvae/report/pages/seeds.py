"""What ± and the intervals of a comparison are over, and what the number of its seeds leaves open."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from spatialvae.metrics.estimate import ONE_TRAINING
from spatialvae.report import spelling

__all__ = ["intervals", "left_open", "repeated"]


def repeated(comparison: dict[str, Any]) -> bool:
    """Whether models were trained more than once: only then is anything known of how much trainings differ."""
    return len(comparison.get("seeds") or []) > 1


def intervals(seeds: Sequence[int]) -> str:
    """What ± is over.

    >>> intervals([0, 1, 2]), intervals([0])
    ('over 3 seeds', 'over images, this training only')
    """
    return f"over {len(seeds)} seeds" if len(seeds) > 1 else ONE_TRAINING


def left_open(comparison: dict[str, Any]) -> str:
    """What one or two seeds cannot tell, and what another seed costs; empty for more.

    >>> made = {"models": [{}, {}], "training_seconds": 140.0, "command": "spatialvae compare --seeds 1 --out a"}
    >>> print(left_open(made | {"seeds": [0]}).partition(". ")[2])
    A second seed of every model costs about 2.3 minutes of training, and its evaluation: spatialvae compare --out a \
--seeds 2
    """
    seeds = len(comparison.get("seeds") or [])
    if seeds > 2 or len(comparison["models"]) < 2:
        return ""
    if seeds == 2:
        said = "With two seeds an interval reaches 12.7 standard errors to each side (Student's t), with three 4.3."
    else:
        said = "How much another training differs is not known: it is often more than these intervals."
    taken = spelling.finite(comparison.get("training_seconds"))
    time = f"about {spelling.duration(taken / max(seeds, 1))} of training" if taken else "as much training as the first"
    which = "second" if seeds < 2 else "third"
    return f"{said} A {which} seed of every model costs {time}, and its evaluation: {_command(comparison, seeds + 1)}"


def _command(comparison: dict[str, Any], seeds: int) -> str:
    """The line that made the comparison, with another number of seeds: what is trained already is used again."""
    line = re.sub(r"\s--seeds[\s=]+\S+", "", str(comparison.get("command") or "")).strip()
    return f"{line or 'spatialvae compare'} --seeds {max(seeds, 2)}"
