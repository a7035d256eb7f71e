"""Batches on the device: whichever way they come, they are the same batches."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from spatialvae.data import ImageSplit
from spatialvae.data import training_batches as module
from spatialvae.data.batches import to_device, training_batch
from spatialvae.data.training_batches import ResidentBatches, StreamedBatches, training_batches

CPU = torch.device("cpu")


def split(count: int = 23) -> ImageSplit:
    images = np.random.default_rng(0).integers(0, 256, (count, 3, 4, 6), np.uint8)
    images.setflags(write=False)  # as a cache's are
    return ImageSplit(images, None)


@pytest.mark.parametrize("kind", [ResidentBatches, StreamedBatches])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("world", [1, 2])
def test_they_are_the_training_batches(kind: type, flip: bool, world: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLANNED_STEPS", 5)
    monkeypatch.setattr(module, "COPIED_AT_ONCE", 7)
    images = split()
    for rank in range(world):
        options = {"seed": 3, "flip": flip, "rank": rank, "world": world}
        batches = kind(images, 10, CPU, **options)
        # Over several epochs; then a run that was resumed in the middle, and one that goes back.
        for step in itertools.chain(range(13), (40, 41, 2)):
            batch = batches(step)
            assert batch.dtype == torch.uint8
            assert torch.equal(batch, training_batch(images, 10, step, **options)), step


def test_what_was_given_out_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLANNED_STEPS", 2)
    batches = ResidentBatches(split(), 5, CPU, seed=0, flip=False)
    first = batches(0)
    kept = first.clone()
    for step in range(1, 9):
        batches(step)
    assert torch.equal(first, kept)


def test_a_cpu_takes_them_from_the_mapped_cache() -> None:
    # It is memory already: a copy would only double it.
    assert isinstance(training_batches(split(), 5, CPU, seed=0, flip=False), StreamedBatches)


@pytest.mark.parametrize(("free", "kind"), [(10_000, ResidentBatches), (2000, StreamedBatches)])
def test_a_gpu_holds_them_where_they_fit(monkeypatch: pytest.MonkeyPatch, free: int, kind: type) -> None:
    images = split()  # 1656 bytes
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 100_000))
    monkeypatch.setattr(module, "_copied", lambda split, device: torch.from_numpy(split.images.copy()))
    assert isinstance(training_batches(images, 5, torch.device("cuda"), seed=0, flip=False), kind)


def test_on_a_cpu_nothing_is_copied() -> None:
    images = torch.zeros(3)
    assert to_device(images, CPU) is images
