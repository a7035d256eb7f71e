"""Every setting, typed and documented, in one place. The text of a field is the help of its flag."""

from spatialvae.config.measuring import NOT_COMPARED, BenchConfig, CompareConfig, EvaluationConfig
from spatialvae.config.model import AbstractModelOptions, ModelConfig, ModelOptions
from spatialvae.config.optimisation import AbstractOptimisation, Optimisation, PriorConfig
from spatialvae.config.training import UNIT_GAUSSIANS, DataOptions, TrainConfig

__all__ = [
    "NOT_COMPARED",
    "UNIT_GAUSSIANS",
    "AbstractModelOptions",
    "AbstractOptimisation",
    "BenchConfig",
    "CompareConfig",
    "DataOptions",
    "EvaluationConfig",
    "ModelConfig",
    "ModelOptions",
    "Optimisation",
    "PriorConfig",
    "TrainConfig",
]
