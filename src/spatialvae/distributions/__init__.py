"""The mathematics of matrix-variate normal latents: needs torch alone, and is of use without the rest.

Importing this package registers the closed-form Kullback-Leibler divergences with `torch.distributions`.
"""

from . import kl, nesting  # noqa: F401  (imported for the divergences they register)
from .matrix_normal import MatrixNormal

__all__ = ["MatrixNormal"]
