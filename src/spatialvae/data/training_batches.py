"""The batches of a run on the device that trains: from a copy of the images in its memory, where that fits."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass

import numpy as np
import torch
from torch import Tensor

from spatialvae.data.batches import flipped, mirrored, step_indices, to_device, training_batch
from spatialvae.data.dataset import ImageSplit

__all__ = ["AbstractBatches", "ResidentBatches", "StreamedBatches", "training_batches"]

SHARE = 0.5  # of the free memory that the images may take; the rest is the model's
COPIED_AT_ONCE = 4096
PLANNED_STEPS = 64


@dataclass
class AbstractBatches(ABC):
    """The batches of a run, a function of these settings and of the step."""

    split: ImageSplit
    batch_size: int
    device: torch.device
    _: KW_ONLY
    seed: int
    flip: bool
    rank: int = 0
    world: int = 1

    @abstractmethod
    def __call__(self, step: int) -> Tensor:
        """One rank's uint8 images [B C H W] of one step, on the device."""


@dataclass
class StreamedBatches(AbstractBatches):
    """Each step's batch is taken from the cache and copied to the device; on a CPU the mapped cache is the memory."""

    def __call__(self, step: int) -> Tensor:
        """One rank's uint8 images [B C H W] of one step, on the device: `training_batch`."""
        options = {"seed": self.seed, "flip": self.flip, "rank": self.rank, "world": self.world}
        return to_device(training_batch(self.split, self.batch_size, step, **options), self.device)


@dataclass
class ResidentBatches(AbstractBatches):
    """The same batches from a uint8 copy of all images on the device; indexed and mirrored there.

    The order of 64 steps at a time is computed ahead and sent in one copy, so that a step waits for nothing.
    """

    def __post_init__(self) -> None:
        self._images = _copied(self.split, self.device)
        self._planned = range(0)
        self._indices = self._coins = torch.empty(0)

    def __call__(self, step: int) -> Tensor:
        """One rank's uint8 images [B C H W] of one step, on the device: the pixels of `training_batch`."""
        if step not in self._planned:
            self._plan(step)
        row = step - self._planned.start
        images = self._images.index_select(0, self._indices[row])
        return mirrored(images, self._coins[row]) if self.flip else images

    def _plan(self, step: int) -> None:
        steps = range(step, step + PLANNED_STEPS)
        options = {"seed": self.seed, "rank": self.rank}
        indices = step_indices(len(self._images), self.batch_size, steps, world=self.world, **options)
        self._indices = to_device(torch.from_numpy(indices), self.device)
        if self.flip:
            coins = np.stack([flipped(indices.shape[1], each, **options) for each in steps])
            self._coins = to_device(torch.from_numpy(coins), self.device)
        self._planned = steps


def training_batches(
    split: ImageSplit,
    batch_size: int,
    device: torch.device,
    *,
    seed: int,
    flip: bool,
    rank: int = 0,
    world: int = 1,
) -> AbstractBatches:
    """The batches of a run, step by step: resident where the images fit into a GPU's memory, else streamed."""
    kind = ResidentBatches if _fits(split, device) else StreamedBatches
    return kind(split, batch_size, device, seed=seed, flip=flip, rank=rank, world=world)


def _fits(split: ImageSplit, device: torch.device) -> bool:
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return len(split) * math.prod(split.shape) <= SHARE * free


def _copied(split: ImageSplit, device: torch.device) -> Tensor:
    """All images of a split on the device, uint8 [N C H W], copied some at a time."""
    images = torch.empty((len(split), *split.shape), dtype=torch.uint8, device=device)
    for start in range(0, len(split), COPIED_AT_ONCE):
        rows = np.arange(start, min(start + COPIED_AT_ONCE, len(split)))
        images[start : start + len(rows)] = to_device(torch.from_numpy(split.take(rows)), device)
    return images
