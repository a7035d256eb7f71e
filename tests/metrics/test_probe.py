"""The linear probe: separable codes, codes that say nothing, scikit-learn's own score, labels that are missing."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spatialvae.config import ModelConfig
from spatialvae.data import ImageData, ImageSplit
from spatialvae.data.subset import subset
from spatialvae.errors import UserError
from spatialvae.estimate import Estimate
from spatialvae.metrics.latent.probe import ProbeDetails, linear_probe, probe
from spatialvae.model import SpatialVAE
from tests.conftest import smooth_images

module: Any = importlib.import_module("spatialvae.metrics.latent.probe")


def clusters(count: int, classes: int = 3, spread: float = 0.3) -> tuple[Tensor, Tensor]:
    """Codes of 2x2x2 around a corner of their own for each class."""
    labels = torch.arange(count) % classes
    corners = 2 * torch.nn.functional.one_hot(labels, 8).float()
    return (corners + spread * torch.randn(count, 8)).unflatten(1, (2, 2, 2)), labels


def data(labels: np.ndarray | None, asked: np.ndarray | None, images: np.ndarray | None = None) -> ImageData:
    """Black and white pictures, white where a label is odd, with some noise."""
    splits = {}
    for name, values in (("train", labels), ("test", asked)):
        count = 8 if values is None else len(values)
        pictures = smooth_images(count, 1, 8, 8) // 8
        if values is not None:
            pictures = pictures + (200 * (values % 2)).astype(np.uint8)[:, None, None, None]
        splits[name] = ImageSplit(pictures, values)
    return ImageData("made-up", "made-up", "0", 8, 8, 1, splits, [0.0], 0, None)


def model(**options: Any) -> SpatialVAE:
    return SpatialVAE.from_config(ModelConfig(**{"image_size": (8, 8), "channels": 1, "maps": 2, **options}))


def test_separable_codes_are_told_apart() -> None:
    accuracy = linear_probe(*clusters(60), *clusters(40))
    assert accuracy.dtype == torch.float64
    assert accuracy.tolist() == [1.0] * 40


def test_shuffled_labels_are_guessed_at_chance_level() -> None:
    codes, labels = clusters(600, spread=1.0)
    others, asked = clusters(400, spread=1.0)
    accuracy = Estimate.of(linear_probe(codes, labels[torch.randperm(600)], others, asked[torch.randperm(400)]))
    assert accuracy.standard_error is not None
    assert abs(accuracy.value - 1 / 3) < 4 * accuracy.standard_error


def test_accuracy_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    codes, labels = clusters(90, spread=2.0)
    codes[:, 0] *= 100  # which standardising undoes
    others, asked = clusters(70, spread=2.0)
    others[:, 0] *= 100
    scaler = StandardScaler().fit(codes.flatten(1).numpy())
    classifier = LogisticRegression(C=1 / (0.01 * 90), max_iter=300)
    classifier.fit(scaler.transform(codes.flatten(1).numpy()), labels.numpy())
    score = classifier.score(scaler.transform(others.flatten(1).numpy()), asked.numpy())
    accuracy = linear_probe(codes, labels, others, asked)
    assert accuracy.mean().item() == pytest.approx(score)
    assert 0.3 < score < 1


def test_too_few_steps_are_not_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STEPS", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert linear_probe(*clusters(60, spread=1.0), *clusters(40)).shape == (40,)


def test_a_number_that_never_changes_is_no_obstacle() -> None:
    codes, labels = clusters(60)
    codes[:, 0, 0, 0] = 5.0
    assert torch.isfinite(linear_probe(codes, labels, codes, labels)).all()


def test_labels_unheard_of_are_wrong() -> None:
    codes, labels = clusters(60)
    assert linear_probe(codes, labels, codes, labels + 10).sum() == 0


def test_many_codes_are_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    # In order of their labels, so that the first ones would all be of one class.
    monkeypatch.setattr(module, "MOST_CODES", 30)
    codes, labels = clusters(300, spread=1.2)
    order = labels.argsort()
    others = clusters(300, spread=1.2)
    accuracy = [linear_probe(codes[order], labels[order], *others, seed=seed) for seed in (1, 1, 2)]
    assert accuracy[0].mean() > 0.6
    assert torch.equal(accuracy[0], accuracy[1])
    assert not torch.equal(accuracy[0], accuracy[2])


def test_a_models_codes_tell_black_from_white() -> None:
    correct, note = probe(model().train(), data(np.arange(40) % 2, np.arange(25) % 2), "test")
    assert correct.tolist() == [1.0] * 25
    assert note == ProbeDetails(classes=2, train_images=40, largest_class=13 / 25)


def test_limit_takes_the_subset_of_the_seed() -> None:
    images = data(np.arange(40) % 4, np.arange(25) % 4)
    fixed = model()
    whole, some = probe(fixed, images, "test")[0], probe(fixed, images, "test", 9, seed=2)[0]
    assert torch.equal(whole[torch.from_numpy(subset(25, 9, seed=2))], some)
    assert len(probe(fixed, images, "train")[0]) == 40


def test_of_many_training_images_some_are_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CODES", 12)
    images = data(np.repeat([0, 1], 40), np.arange(10) % 2)
    correct, note = probe(model(), images, "test")
    assert note.train_images == 12
    assert correct.sum() == 10


def test_nothing_is_left_changed() -> None:
    fixed, images, state = model().train(), data(np.arange(20) % 2, np.arange(9) % 2), torch.random.get_rng_state()
    buffers = {name: value.clone() for name, value in fixed.named_buffers()}
    probe(fixed, images, "test")
    assert fixed.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, buffers[name]) for name, value in fixed.named_buffers())


@pytest.mark.parametrize(
    ("labels", "asked", "split", "words"),
    [
        (None, np.arange(5), "test", "split 'train' have no labels"),
        (np.arange(5), None, "test", "split 'test' have no labels"),
        (np.zeros(6, np.int64), np.arange(5), "test", "have one label, '0'"),
        (np.array([0, 0, -1, -1]), np.arange(5), "test", "have one label, '0'"),
        (np.array([0, 1, 0, 1]), np.full(5, -1), "test", "split 'test' have no labels"),
        (np.array([0, 1, 0, 1]), np.array([2, 3, -1]), "test", "no training image is of a class of the split 'test'"),
        (np.arange(5), np.arange(5), "tset", "Did you mean 'test'"),
    ],
)
def test_data_without_labels(labels: Any, asked: Any, split: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        probe(model(), data(labels, asked), split)


def test_images_without_a_label_take_no_part() -> None:
    labels, asked = np.arange(40) % 2, np.arange(25) % 2
    some, some_asked = np.where(np.arange(40) % 3, labels, -1), np.where(np.arange(25) % 4, asked, -1)
    fixed, images = model(), data(labels, asked)
    splits = {name: ImageSplit(images.split(name).images, own) for name, own in (("train", some), ("test", some_asked))}
    correct, note = probe(fixed, replace(images, splits=splits), "test")
    assert note.classes == 2
    assert note.train_images == (some >= 0).sum()
    assert len(correct) == (some_asked >= 0).sum()
    assert correct.mean() == 1.0
    # The same as if these images were not there.
    splits = {
        name: ImageSplit(own.images[own.labels >= 0], own.labels[own.labels >= 0]) for name, own in splits.items()
    }
    assert torch.equal(correct, probe(fixed, replace(images, splits=splits), "test")[0])


def test_codes_that_cannot_be_used() -> None:
    codes, labels = clusters(20)
    with pytest.raises(UserError, match="two classes"):
        linear_probe(codes, torch.zeros(20, dtype=torch.int64), codes, labels)
    broken = codes.clone()
    broken[3] = float("nan")
    with pytest.raises(UserError, match="not all numbers"):
        linear_probe(broken, labels, codes, labels)
    with pytest.raises(UserError, match="not all numbers"):
        linear_probe(codes, labels, broken, labels)


def test_images_of_another_kind() -> None:
    with pytest.raises(UserError, match="trained on 8x9"):
        probe(model(image_size=(8, 9)), data(np.arange(5), np.arange(5)), "test")
