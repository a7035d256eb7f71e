"""The mathematics of tensor-variate normal latents: needs torch alone, and is of use without the rest.

Importing this package registers the closed-form Kullback-Leibler divergences with `torch.distributions`.
"""

from . import kl, kl_independent  # noqa: F401  # pyright: ignore[reportUnusedImport] - they register divergences
from .autoregressive import AutoregressiveFactor
from .factor import AbstractFactor, DiagonalFactor, TriangularFactor
from .marginals import map_marginals
from .matrix_normal import MatrixNormal
from .tensor_normal import TensorNormal

__all__ = [
    "AbstractFactor",
    "AutoregressiveFactor",
    "DiagonalFactor",
    "MatrixNormal",
    "TensorNormal",
    "TriangularFactor",
    "map_marginals",
]
