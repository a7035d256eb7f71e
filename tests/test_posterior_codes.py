"""The codes that priors are fitted to: draws and means of q(z|x), streamed from one pass of the encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from spatialvae import posterior_codes as module
from spatialvae.data import ImageSplit
from spatialvae.data.subset import subset
from spatialvae.model import SpatialVAE
from spatialvae.posterior_codes import PosteriorCodes
from spatialvae.priors import Labels, MixtureFamily
from spatialvae.runtime.evaluating import evaluating
from spatialvae.training import train
from tests.training.tiny import settings, tiny_data


def trained(folder: Path) -> SpatialVAE:
    return train(settings(), tiny_data(), folder, progress=False).model


def test_means_and_draws_are_those_of_the_posterior(tmp_path: Path) -> None:
    model, data = trained(tmp_path / "run"), tiny_data()
    with torch.no_grad(), evaluating(model):
        distribution = model.encode(torch.from_numpy(data.split("train").images.copy()))
    with PosteriorCodes(model, data) as codes:
        assert_close(torch.cat(list(codes.means())), distribution.mean, rtol=1e-4, atol=1e-4)
        passes = torch.stack([torch.cat([part for part, _ in codes.draws()]) for _ in range(100)])
        assert_close(
            passes.mean(0), distribution.mean, rtol=0, atol=6 * distribution.variance.max().item() ** 0.5 / 100**0.5
        )
        assert_close(passes.var(0), distribution.variance, rtol=1.0, atol=0)
        torch.manual_seed(0)
        first, labels = codes.batch(np.array([2, 0]))
        assert first.shape == (2, *model.latent.event_shape)
        assert (labels is None) == (data.split("train").labels is None)
        assert len(next(iter(codes.draws(limit=3)))[0]) == 3


def test_classes_are_those_of_all_images_fitted_to(tmp_path: Path) -> None:
    model, data = trained(tmp_path / "run"), tiny_data()
    count = len(data.split("train"))
    labels = np.where(np.arange(count) < count - 2, 0, 2)  # sorted, the last class a rare one
    labels[1] = -1
    train_split = ImageSplit(data.split("train").images, labels)
    others = replace(data.split("validation"), labels=np.full(len(data.split("validation")), -1))
    names = ["cat", "unicorn", "dog"]
    named = replace(data, splits={"train": train_split, "validation": others}, label_names=names)
    with PosteriorCodes(model, named) as codes:
        assert codes.labels == Labels(("cat", "unicorn", "dog"), (count - 3, 0, 2))
        assert codes.batch(np.array([0, 1, count - 1]))[1].tolist() == [0, -1, 2]  # pyright: ignore
        prior, _ = MixtureFamily(2).fit(codes)
        assert prior.classes == 3
    with PosteriorCodes(model, replace(named, splits={"train": others, "validation": others})) as codes:
        assert not codes.labels
        assert MixtureFamily(2).fit(codes)[0].classes == 0


def test_codes_of_sorted_classes_are_of_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_OUT", 9)
    model, tiny = trained(tmp_path / "run"), tiny_data()
    thirds = {name: np.arange(len(split)) * 3 // len(split) for name, split in tiny.splits.items()}
    data = replace(tiny, splits={name: ImageSplit(tiny.split(name).images, labels) for name, labels in thirds.items()})
    train, others = data.split("train"), data.split("validation")
    assert train.labels is not None and others.labels is not None
    for seed in (0, 4):
        rows, held_out = subset(60, 12, seed=seed), subset(25, 9, seed=seed)
        with PosteriorCodes(model, data, limit=12, seed=seed) as codes:
            assert codes.provenance == {"images": 12, "of": 60, "seed": seed}
            with torch.no_grad(), evaluating(model):
                distribution = model.encode(torch.from_numpy(train.images[rows]))
            assert_close(torch.cat(list(codes.means())), distribution.mean, rtol=1e-4, atol=1e-4)
            labels = torch.cat([own for _, own in codes.draws() if own is not None])
            assert labels.tolist() == train.labels[rows].tolist()
            assert set(labels.tolist()) == {0, 1, 2}
            assert codes.held_out_labels is not None
            assert codes.held_out_labels.tolist() == others.labels[held_out].tolist()
            some = torch.cat([own for _, own in codes.draws(limit=6) if own is not None])
            assert some.tolist() == labels[torch.from_numpy(subset(12, 6))].tolist()


def test_what_was_kept_is_deleted(tmp_path: Path) -> None:
    with PosteriorCodes(trained(tmp_path / "run"), tiny_data()) as codes:
        assert codes._temporary is not None
        folder = Path(codes._temporary.name)
        assert folder.exists()
    assert not folder.exists()
