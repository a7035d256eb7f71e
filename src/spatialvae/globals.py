"""What the whole process shares, kept as its owner set it: packages and training change some of it for themselves.

Changed on purpose: torch's table of KL divergences, which `spatialvae.distributions` adds to; its rule for two
`Independent` laws takes the place of torch's, and agrees with it wherever torch has an answer.

Left as others make it: the loggers that third parties install for themselves, the variables that scikit-learn (KMP_*)
and torch's compiler (TORCHINDUCTOR_CACHE_DIR) set for libraries and processes to come, and, on glibc, the thresholds of
malloc, which after `freed_memory_kept` stand where glibc moves them by itself.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.distributions import Distribution

from spatialvae.rounding import rounding, set_rounding

__all__ = ["globals_kept"]


@contextmanager
def globals_kept() -> Iterator[None]:
    """Whatever is done inside, afterwards the settings that the whole process shares are those of before.

    Warning filters, the random states of Python and numpy (torch's: `seeded`), whether torch.distributions checks its
    arguments, and how torch multiplies and chooses kernels. It goes around training, and around the import of packages
    that change one of them for everybody.

    >>> with globals_kept():
    ...     Distribution.set_default_validate_args(False)
    >>> torch.distributions.Normal(0.0, -1.0)
    Traceback (most recent call last):
    ValueError: Expected parameter scale ...
    """
    checked = Distribution._validate_args
    states = random.getstate(), np.random.get_state()
    rounded, measured = rounding(), torch.backends.cudnn.benchmark
    with warnings.catch_warnings():
        try:
            yield
        finally:
            Distribution.set_default_validate_args(checked)
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.backends.cudnn.benchmark = measured
            if rounded is not None:
                set_rounding(*rounded)
