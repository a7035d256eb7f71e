"""Random crops of images, resized to the size of the whole: a part of what is seen in training only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from spatialvae.seeding import stream_seed

__all__ = ["CroppedBatches", "crop_places", "cropped"]

STREAM = 1
"""Of the random numbers of a step; 0 is that of mirroring."""


@dataclass
class CroppedBatches:
    """Batches of which every image is cropped at random, a function of the step as they are."""

    batches: Callable[[int], Tensor]
    least: float
    """The smallest share of both sides that is kept."""
    seed: int
    rank: int = 0

    def __call__(self, step: int) -> Tensor:
        """One rank's uint8 images [B C H W] of one step, on the device."""
        images = self.batches(step)
        places = crop_places(len(images), step, least=self.least, seed=self.seed, rank=self.rank)
        return cropped(images, torch.from_numpy(places))


def crop_places(images: int, step: int, *, least: float, seed: int, rank: int = 0) -> np.ndarray:
    """Where each of `images` of one rank's share of a step is cropped: float32 [images, 3].

    The share of both sides that is kept, uniform from `least` to 1, and how far right and down its centre lies, from -1
    to 1 where the edges of the image are at -1 and 1; no crop leaves the image.

    >>> crop_places(2, 0, least=0.9, seed=0).shape, crop_places(1, 0, least=1.0, seed=0)[0, 0].item()
    ((2, 3), 1.0)
    """
    random = np.random.default_rng([stream_seed(seed, step, rank), STREAM]).random((images, 3))
    share = least + (1 - least) * random[:, :1]
    return np.concatenate([share, (1 - share) * (2 * random[:, 1:] - 1)], 1).astype(np.float32)


def cropped(images: Tensor, places: Tensor) -> Tensor:
    """The crops of uint8 images [B C H W] at `places` [B, 3], interpolated linearly to the size of the whole.

    >>> import torch
    >>> image = torch.arange(16, dtype=torch.uint8).reshape(1, 1, 4, 4)
    >>> torch.equal(cropped(image, torch.tensor([[1.0, 0.0, 0.0]])), image)
    True
    """
    share, right, down = places.to(images.device)[:, :, None, None].unbind(1)
    height, width = images.shape[2:]
    rows, columns = ((2 * torch.arange(n, device=images.device) + 1) / n - 1 for n in (height, width))
    shape = (len(images), height, width)
    grid = torch.stack([(share * columns + right).expand(shape), (share * rows[:, None] + down).expand(shape)], -1)
    made = grid_sample(images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return made.round().clamp(0, 255).to(torch.uint8)
