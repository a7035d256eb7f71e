"""The order of the images: a function of (seed, images seen, rank), so that a run resumes where it stopped."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from spatialvae.data.dataset import ImageSplit
from spatialvae.data.subset import subset
from spatialvae.seeding import stream_seed

__all__ = [
    "batch_indices",
    "flipped",
    "in_order",
    "mirrored",
    "some_images",
    "step_indices",
    "to_device",
    "training_batch",
]


def batch_indices(count: int, batch_size: int, step: int, *, seed: int, rank: int = 0, world: int = 1) -> np.ndarray:
    """Which of `count` images one rank sees in one step, int64 [batch_size / world].

    Each epoch is a permutation of its own; steps walk through the endless row of epochs, so that a batch may reach
    from one into the next and every batch is full. Ranks take neighbouring shares of the step's batch.

    >>> epoch = np.concatenate([batch_indices(10, 5, step, seed=0) for step in (0, 1)])
    >>> sorted(epoch.tolist()) == list(range(10))
    True
    """
    return step_indices(count, batch_size, range(step, step + 1), seed=seed, rank=rank, world=world)[0]


def step_indices(count: int, batch_size: int, steps: range, *, seed: int, rank: int = 0, world: int = 1) -> np.ndarray:
    """What `batch_indices` gives for each of several `steps`, int64 [steps, batch_size / world]."""
    share = batch_size // world
    firsts = np.arange(steps.start, steps.stop) * batch_size + rank * share
    positions = firsts[:, None] + np.arange(share)
    epochs, offsets = np.divmod(positions, count)
    indices = np.empty(positions.shape, dtype=np.int64)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        indices[here] = _permutation(count, seed, int(epoch))[offsets[here]]
    return indices


_last: dict[tuple[int, int, int], np.ndarray] = {}


def _permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of one epoch; the newest two are kept, since a step needs one or two and an epoch has many."""
    key = (count, seed, epoch)
    if key not in _last:
        while len(_last) >= 2:
            del _last[next(iter(_last))]
        _last[key] = np.random.default_rng([seed, epoch]).permutation(count)
    return _last[key]


def flipped(images: int, step: int, *, seed: int, rank: int = 0) -> np.ndarray:
    """Which `images` of one rank's share of a step are mirrored left to right: bool [images], true with chance 1/2."""
    return np.random.default_rng(stream_seed(seed, step, rank)).random(images) < 0.5


def training_batch(
    split: ImageSplit, batch_size: int, step: int, *, seed: int, flip: bool, rank: int = 0, world: int = 1
) -> Tensor:
    """The uint8 images [B C H W] of one step, half of them mirrored left to right if `flip`."""
    images = torch.from_numpy(
        split.take(batch_indices(len(split), batch_size, step, seed=seed, rank=rank, world=world))
    )
    return mirrored(images, torch.from_numpy(flipped(len(images), step, seed=seed, rank=rank))) if flip else images


def mirrored(images: Tensor, which: Tensor) -> Tensor:
    """Images [B C H W], those of `which` (bool [B]) mirrored left to right."""
    return torch.where(which[:, None, None, None], images.flip(-1), images)


def in_order(split: ImageSplit, batch_size: int, indices: np.ndarray | None = None) -> Iterator[Tensor]:
    """The uint8 images [B C H W] of a split from its first to its last, or those at `indices` [n] in their order."""
    chosen = np.arange(len(split)) if indices is None else indices
    for start in range(0, len(chosen), batch_size):
        yield torch.from_numpy(split.take(chosen[start : start + batch_size]))


def some_images(split: ImageSplit, limit: int | None, *, seed: int = 0) -> Tensor:
    """The images of a split's `subset`, uint8 [n C H W], n at most `limit`."""
    return torch.from_numpy(split.take(subset(len(split), limit, seed=seed)))


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor` on `device`; a GPU gets it through pinned memory, while it still works on what it got before.

    torch's allocator hands the same pinned memory out again only once the copy is done: two batches take turns in it.
    """
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
