"""Variational auto-encoders whose latents are maps.

The public names are few: `load` gives a trained model back, `SpatialVAE` is the model, `ModelConfig` what it is made
from, `latents` and `distributions` hold the mathematics. They are imported when first used, so that `import spatialvae`
and the command line's help do not wait for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from spatialvae._version import __version__

if TYPE_CHECKING:
    from spatialvae import distributions, latents, metrics
    from spatialvae.config import ModelConfig, TrainConfig
    from spatialvae.model import SpatialVAE
    from spatialvae.store import load

__all__ = [
    "ModelConfig",
    "SpatialVAE",
    "TrainConfig",
    "__version__",
    "distributions",
    "latents",
    "load",
    "metrics",
]

_HOMES = {"load": "store", "SpatialVAE": "model", "ModelConfig": "config", "TrainConfig": "config"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"spatialvae.{_HOMES[name]}"), name)
    if name in ("distributions", "latents", "metrics"):
        return importlib.import_module(f"spatialvae.{name}")
    raise AttributeError(f"module 'spatialvae' has no attribute {name!r}")
