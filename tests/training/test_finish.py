"""The Gaussian that a finished run comes with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from spatialvae.model import SpatialVAE
from spatialvae.posterior_codes import PosteriorCodes
from spatialvae.priors import GaussianPrior
from spatialvae.store import load, save_model
from spatialvae.training import finish, fit_run_prior, train
from tests.training.tiny import settings, tiny_data


def fitted(model: SpatialVAE, folder: Path, seed: int = 0) -> GaussianPrior:
    save_model(folder, model)
    fit_run_prior(model, tiny_data(), folder, seed=seed)
    prior = model.priors["gaussian"]
    assert isinstance(prior, GaussianPrior)
    return prior


def test_it_has_the_moments_of_the_training_images_posteriors(tmp_path: Path) -> None:
    model = SpatialVAE.from_config(settings().sized((8, 8), 1)).train()
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    prior = fitted(model, tmp_path)
    assert model.training
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())
    with torch.no_grad():
        q = model.eval().encode(torch.from_numpy(tiny_data().split("train").images.copy()))
    variance = (q.variance + q.mean.square()).mean(0) - q.mean.mean(0).square()
    assert_close(prior().mean, q.mean.mean(0), rtol=0, atol=0.3)
    assert_close(prior().variance, variance, rtol=0.5, atol=0)


def test_it_is_a_function_of_the_seed(tmp_path: Path) -> None:
    model = SpatialVAE.from_config(settings().sized((8, 8), 1)).eval()
    one, same, other = (fitted(model, tmp_path, seed).normal.factors[0] for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(("seen", "encoded"), [(0, 20), (30, 30), (1000, 60)])
def test_a_short_training_is_not_followed_by_a_long_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: int, encoded: int
) -> None:
    counts: list[int] = []

    def noted(codes: PosteriorCodes, *_: object) -> Iterator[Tensor]:
        counts.append(len(codes))
        return means(codes)

    means = PosteriorCodes.means
    monkeypatch.setattr(PosteriorCodes, "means", noted)
    monkeypatch.setattr(finish, "FEWEST", 20)
    model = SpatialVAE.from_config(settings().sized((8, 8), 1))
    save_model(tmp_path, model)
    fit_run_prior(model, tiny_data(), tmp_path, seen=seen)
    assert set(counts) == {encoded}


def test_a_finished_run_has_it(tmp_path: Path) -> None:
    model = train(settings(), tiny_data(), tmp_path / "run", progress=False).model
    loaded = load(tmp_path / "run")
    drawn = loaded.sample(3, seed=1, prior="gaussian")
    assert torch.equal(drawn, model.sample(3, seed=1, prior="gaussian"))
    assert not torch.equal(drawn, loaded.sample(3, seed=1, prior="standard"))
    assert torch.equal(drawn, loaded.sample(3, seed=1))  # the default
    # A run whose prior is gone gets the same one again; a longer run gets one of its own weights.
    (tmp_path / "run" / "prior-gaussian.safetensors").unlink()
    train(settings(), tiny_data(), tmp_path / "run", progress=False)
    assert torch.equal(load(tmp_path / "run").sample(3, seed=1, prior="gaussian"), drawn)
    train(settings(images=120), tiny_data(), tmp_path / "run", progress=False)
    assert not torch.equal(load(tmp_path / "run").sample(3, seed=1, prior="gaussian"), drawn)


@pytest.mark.parametrize("reloaded", [False, True])
def test_a_model_that_is_trained_again_gets_a_prior_of_its_new_weights(tmp_path: Path, reloaded: bool) -> None:
    options = {"batch_size": 10, "precision": "fp32", "progress": False}
    model = SpatialVAE.from_config(settings().sized((8, 8), 1))
    first = train(model, tiny_data(), tmp_path / "first", epochs=1, **options)
    before = first.model.priors["gaussian"]
    again = load(tmp_path / "first") if reloaded else first.model
    out = tmp_path / "again"
    run = train(again, tiny_data(), out, epochs=2, learning_rate=0.01, **options)
    assert run.model is again and run.model.priors["gaussian"] is not before
    assert (out / "prior-gaussian.safetensors").is_file()
    assert torch.equal(run.model.sample(3, seed=1), load(out).sample(3, seed=1))
