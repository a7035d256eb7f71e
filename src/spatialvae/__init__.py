"""Variational auto-encoders whose latents are maps.

`train` trains a model on images of any kind and gives the run back, `load` a trained model, `open_run` a whole run.
`SpatialVAE` is the model, `ModelConfig` and `TrainConfig` are its settings, `ModelOptions`, `DataOptions` and
`Optimisation` what these hold. `latents`, `likelihoods`, `networks`, `priors` and `distributions` have the
parts of a model, and `LATENTS` and its like their names.

All names are imported when first used, so that `import spatialvae` and the command line's help do not wait for torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spatialvae._version import __version__
from spatialvae.lazy_names import lazy_names

if TYPE_CHECKING:
    from spatialvae import baselines, data, distributions, editing, latents, likelihoods, metrics, networks, priors
    from spatialvae.comparison import compare
    from spatialvae.config import (
        CompareConfig,
        DataOptions,
        EvaluationConfig,
        ModelConfig,
        ModelOptions,
        Optimisation,
        PriorConfig,
        TrainConfig,
    )
    from spatialvae.data import ImageData
    from spatialvae.data import as_image_data as prepare
    from spatialvae.data.sources import SOURCES
    from spatialvae.errors import UserError
    from spatialvae.fitting import fit as fit_prior
    from spatialvae.latents import LATENTS
    from spatialvae.likelihoods import LIKELIHOODS
    from spatialvae.metrics import METRICS, evaluate, evaluate_images
    from spatialvae.model import SpatialVAE
    from spatialvae.networks import NETWORKS
    from spatialvae.plugins import load_plugin
    from spatialvae.priors import PRIORS
    from spatialvae.sampling import sample
    from spatialvae.store import load
    from spatialvae.training import Callback, FinishedRun, StopTraining, TrainingEvent, open_run, train

__all__ = [
    "LATENTS",
    "LIKELIHOODS",
    "METRICS",
    "NETWORKS",
    "PRIORS",
    "SOURCES",
    "Callback",
    "CompareConfig",
    "DataOptions",
    "EvaluationConfig",
    "FinishedRun",
    "ImageData",
    "ModelConfig",
    "ModelOptions",
    "Optimisation",
    "PriorConfig",
    "SpatialVAE",
    "StopTraining",
    "TrainConfig",
    "TrainingEvent",
    "UserError",
    "__version__",
    "baselines",
    "compare",
    "data",
    "distributions",
    "editing",
    "evaluate",
    "evaluate_images",
    "fit_prior",
    "latents",
    "likelihoods",
    "load",
    "load_plugin",
    "metrics",
    "networks",
    "open_run",
    "prepare",
    "priors",
    "sample",
    "train",
]

_HOMES = {
    "LATENTS": "latents",
    "LIKELIHOODS": "likelihoods",
    "METRICS": "metrics",
    "NETWORKS": "networks",
    "PRIORS": "priors",
    "SOURCES": "data.sources",
    "Callback": "training",
    "CompareConfig": "config",
    "DataOptions": "config",
    "EvaluationConfig": "config",
    "FinishedRun": "training",
    "ImageData": "data",
    "ModelConfig": "config",
    "ModelOptions": "config",
    "Optimisation": "config",
    "PriorConfig": "config",
    "SpatialVAE": "model",
    "StopTraining": "training",
    "TrainConfig": "config",
    "TrainingEvent": "training",
    "UserError": "errors",
    "baselines": "",
    "compare": "comparison",
    "data": "",
    "distributions": "",
    "editing": "",
    "evaluate": "metrics",
    "evaluate_images": "metrics",
    "fit_prior": "fitting:fit",
    "latents": "",
    "likelihoods": "",
    "load": "store",
    "load_plugin": "plugins",
    "metrics": "",
    "networks": "",
    "open_run": "training",
    "prepare": "data:as_image_data",
    "priors": "",
    "sample": "sampling",
    "train": "training",
}
__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
