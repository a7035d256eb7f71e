"""A run's metrics, kept beside it with what they depend on, so that a repeated comparison only reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spatialvae.data import ImageData
from spatialvae.metrics import evaluate
from spatialvae.model import SpatialVAE
from spatialvae.store import WEIGHTS, write_json

__all__ = ["evaluated"]

FILE = "evaluation.json"


def evaluated(
    folder: Path, model: SpatialVAE, data: ImageData, split: str, settings: dict[str, int], progress: bool
) -> dict[str, Any]:
    """{metric: {value, standard_error, n}} of the run in `folder`, measured again only if its basis changed.

    Args:
        settings: `importance_samples`, `nll_images` and `seed` of `evaluate`.
    """
    path = folder / FILE
    weights = (folder / WEIGHTS).stat()
    basis = {
        "fingerprint": data.fingerprint,
        "split": split,
        "weights_written": weights.st_mtime_ns,
        **settings,
    }
    if path.is_file():
        stored = json.loads(path.read_text())
        if stored.get("basis") == basis:
            return stored["metrics"]
    result = evaluate(model, data.split(split), **settings, progress=progress)
    metrics = {name: estimate.as_dict() for name, estimate in result.items()}
    write_json(path, {"basis": basis, "metrics": metrics})
    return metrics
