"""Images of noise, for a benchmark without a data set: as many and as large as matter to the time of a step."""

from __future__ import annotations

import numpy as np

from spatialvae.data import ImageData

__all__ = ["random_images"]

IMAGES, VALIDATION = 10_000, 2_000
BYTES = 2**27  # more than caches hold, and little beside a model in training


def random_images(image_size: tuple[int, int], channels: int, *, least: int = 2, seed: int = 0) -> ImageData:
    """10,000 training images of uniform noise, or as many as fit into 128 MiB; up to 2,000 for validation.

    Args:
        least: so many images of either split at any size.

    >>> data = random_images((8, 8), 1)
    >>> {name: split.images.shape for name, split in data.splits.items()}
    {'train': (10000, 1, 8, 8), 'validation': (2000, 1, 8, 8)}
    """
    random = np.random.default_rng(seed)
    shape = (channels, *image_size)
    fitting = max(least, min(IMAGES, BYTES // int(np.prod(shape))))
    counts = {"train": fitting, "validation": max(least, min(VALIDATION, fitting))}
    images = {name: random.integers(0, 256, (count, *shape), dtype=np.uint8) for name, count in counts.items()}
    return ImageData.from_arrays(images, name="random")
