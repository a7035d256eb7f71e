"""The batches of a run on the device that trains: from a copy of the images in its memory, where that fits."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from spatialvae.data.batches import flipped, mirrored, step_indices, to_device, training_batch
from spatialvae.data.dataset import ImageSplit

__all__ = ["ResidentBatches", "StreamedBatches", "training_batches"]

SHARE = 0.5  # of the free memory that the images may take; the rest is the model's
COPIED_AT_ONCE = 4096
PLANNED_STEPS = 64


class StreamedBatches:
    """Each step's batch is taken from the cache and copied to the device; on a CPU the mapped cache is the memory."""

    def __init__(
        self,
        split: ImageSplit,
        batch_size: int,
        device: torch.device,
        *,
        seed: int,
        flip: bool,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._split, self._batch_size, self._device = split, batch_size, device
        self._seed, self._flip, self._rank, self._world = seed, flip, rank, world

    def __call__(self, step: int) -> Tensor:
        """One rank's uint8 images [B C H W] of one step, on the device: `training_batch`."""
        options = {"seed": self._seed, "flip": self._flip, "rank": self._rank, "world": self._world}
        return to_device(training_batch(self._split, self._batch_size, step, **options), self._device)


class ResidentBatches:
    """The same batches from a uint8 copy of all images on the device; indexed and mirrored there.

    The order of 64 steps at a time is computed ahead and sent in one copy, so that a step waits for nothing.
    """

    def __init__(
        self,
        split: ImageSplit,
        batch_size: int,
        device: torch.device,
        *,
        seed: int,
        flip: bool,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._images = _copied(split, device)
        self._batch_size, self._device = batch_size, device
        self._seed, self._flip, self._rank, self._world = seed, flip, rank, world
        self._planned = range(0)
        self._indices = self._coins = torch.empty(0)

    def __call__(self, step: int) -> Tensor:
        """One rank's uint8 images [B C H W] of one step, on the device: the pixels of `training_batch`."""
        if step not in self._planned:
            self._plan(step)
        row = step - self._planned.start
        images = self._images.index_select(0, self._indices[row])
        return mirrored(images, self._coins[row]) if self._flip else images

    def _plan(self, step: int) -> None:
        steps = range(step, step + PLANNED_STEPS)
        options = {"seed": self._seed, "rank": self._rank}
        indices = step_indices(len(self._images), self._batch_size, steps, world=self._world, **options)
        self._indices = to_device(torch.from_numpy(indices), self._device)
        if self._flip:
            coins = np.stack([flipped(indices.shape[1], each, **options) for each in steps])
            self._coins = to_device(torch.from_numpy(coins), self._device)
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
) -> StreamedBatches | ResidentBatches:
    """The batches of a run, step by step: resident where the images fit into a GPU's memory, else streamed."""
    kind = ResidentBatches if _fits(split, device) else StreamedBatches
    return kind(split, batch_size, device, seed=seed, flip=flip, rank=rank, world=world)


def _fits(split: ImageSplit, device: torch.device) -> bool:
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return split.images.nbytes <= SHARE * free


def _copied(split: ImageSplit, device: torch.device) -> Tensor:
    """All images of a split on the device, uint8 [N C H W], copied some at a time."""
    images = torch.empty(split.images.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(split), COPIED_AT_ONCE):
        rows = np.arange(start, min(start + COPIED_AT_ONCE, len(split)))
        images[start : start + len(rows)] = to_device(torch.from_numpy(split.take(rows)), device)
    return images
