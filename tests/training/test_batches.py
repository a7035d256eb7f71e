"""The order of the images: every image once an epoch, in an order of its own, shared by the ranks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spatialvae.data import ImageSplit
from spatialvae.data.batches import batch_indices, in_order, some_images, training_batch
from spatialvae.data.subset import subset


def order(count: int, batch: int, steps: int, **keywords: int) -> np.ndarray:
    return np.concatenate([batch_indices(count, batch, step, **{"seed": 0, **keywords}) for step in range(steps)])


def split(count: int = 40) -> ImageSplit:
    return ImageSplit(np.random.default_rng(0).integers(0, 256, (count, 1, 8, 8), np.uint8), None)


@given(st.integers(1, 50), st.integers(1, 30), st.integers(0, 5))
def test_every_image_once_an_epoch(count: int, batch: int, seed: int) -> None:
    epochs = 3
    seen = order(count, batch, -(-epochs * count // batch), seed=seed)[: epochs * count].reshape(epochs, count)
    assert (np.sort(seen, axis=1) == np.arange(count)).all()


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first, second = order(100, 10, 20).reshape(2, 100)
    assert (first != second).any()
    assert (first != order(100, 10, 10, seed=1)).any()
    assert (first != np.arange(100)).any()


@given(st.integers(1, 50), st.integers(1, 6), st.integers(1, 4), st.integers(0, 20))
def test_ranks_share_the_batch_of_one(count: int, share: int, world: int, step: int) -> None:
    batch = share * world
    parts = [batch_indices(count, batch, step, seed=0, rank=rank, world=world) for rank in range(world)]
    assert {len(part) for part in parts} == {share}
    assert (np.concatenate(parts) == batch_indices(count, batch, step, seed=0)).all()


def test_the_order_is_a_function_of_the_step_alone() -> None:
    # A resumed run asks for step 37 first; a whole one comes to it after many others.
    whole = [batch_indices(23, 5, step, seed=2) for step in range(60)]
    for step in (37, 3, 59, 4, 36):
        assert (batch_indices(23, 5, step, seed=2) == whole[step]).all()


def test_a_batch_is_the_images_at_its_indices() -> None:
    images = split()
    batch = training_batch(images, 10, 3, seed=1, flip=False)
    assert (batch.dtype, batch.shape) == (torch.uint8, (10, 1, 8, 8))
    assert (batch.numpy() == images.images[batch_indices(40, 10, 3, seed=1)]).all()


def test_flips_mirror_about_half() -> None:
    images = split(200)
    flipped = 0
    for step in range(10):
        plain, mirrored = (training_batch(images, 100, step, seed=0, flip=flip) for flip in (False, True))
        as_it_was = (mirrored == plain).flatten(1).all(1)
        mirror = (mirrored == plain.flip(-1)).flatten(1).all(1)
        assert (as_it_was ^ mirror).all()
        flipped += int(mirror.sum())
        assert torch.equal(mirrored, training_batch(images, 100, step, seed=0, flip=True))
    assert 430 < flipped < 570


def test_ranks_and_steps_flip_by_coins_of_their_own() -> None:
    images = ImageSplit(np.repeat(split(1).images, 64, axis=0), None)
    shares = [training_batch(images, 64, 0, seed=0, flip=True, rank=rank, world=2) for rank in (0, 1)]
    assert not torch.equal(*shares)
    steps = [training_batch(images, 64, step, seed=0, flip=True) for step in (0, 1)]
    assert not torch.equal(*steps)


@pytest.mark.parametrize(("batch", "limit", "sizes"), [(15, None, [15, 15, 10]), (15, 20, [15, 5]), (100, 90, [40])])
def test_evaluation_is_in_order_and_complete(batch: int, limit: int | None, sizes: list[int]) -> None:
    images = split()
    rows = None if limit is None else subset(40, limit)
    result = list(in_order(images, batch, rows))
    assert [len(part) for part in result] == sizes
    assert (torch.cat(result).numpy() == images.images[subset(40, limit)]).all()
    assert torch.equal(torch.cat(result), some_images(images, limit))
