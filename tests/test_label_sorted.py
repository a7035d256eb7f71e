"""A source sorted by class, with limits smaller than a class: what is fitted and measured is still of all classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData, prepare
from spatialvae.metrics import evaluate
from spatialvae.metrics.latent.codes import mean_codes
from spatialvae.posterior_codes import PosteriorCodes
from spatialvae.records import as_json
from spatialvae.training import read_journal, train, validation
from tests.conftest import smooth_images
from tests.training.tiny import settings

CLASS = 300
FITTED, VALIDATED, SCORED = 60, 30, 40


@pytest.fixture
def sorted_by_class(tmp_path: Path) -> ImageData:
    """Three classes of different shades, the darkest first, in every split."""
    shades = np.repeat(np.array([0, 90, 180], np.uint8), CLASS)[:, None, None, None]
    path = tmp_path / "sorted.npz"
    np.savez(path, images=shades + smooth_images(3 * CLASS, 1, 8, 8) // 4, labels=np.repeat(np.arange(3), CLASS))
    data = prepare(str(path))
    for split in data.splits.values():
        assert split.labels is not None and (np.diff(split.labels) >= 0).all()
    assert (data.split("train").labels == 0).sum() > FITTED
    return data


@pytest.mark.slow
def test_all_classes_are_seen(sorted_by_class: ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = sorted_by_class
    monkeypatch.setitem(PosteriorCodes.__init__.__kwdefaults__ or {}, "limit", FITTED)
    monkeypatch.setattr(validation, "LIMIT", VALIDATED)
    training = settings(data="sorted", images=4000, batch_size=20, checkpoint_every=4000, latent="naive")
    model = train(training, data, tmp_path / "run", progress=False).model

    train_split, labels = data.split("train"), data.split("train").labels
    assert labels is not None
    codes = mean_codes(model, train_split, np.arange(len(train_split)))
    centres = torch.stack([codes[torch.from_numpy(labels == label)].mean(0) for label in range(3)])
    loc = model.prior("gaussian").mean.flatten()
    to_all, to_first = (loc - codes.mean(0)).norm().item(), (loc - centres[0]).norm().item()
    print(f"Gaussian: {to_all:.3f} from the mean of all codes, {to_first:.3f} from the first class's")
    assert to_all < 0.5 * to_first

    stored = read_journal(tmp_path / "run" / "metrics.jsonl")[-1]["validation_reconstruction"]
    config = EvaluationConfig(metrics="bound,nll,probe,mse", split="train", nll_images=SCORED // 2)
    evaluation = evaluate(model, data, config.model_copy(update={"limit": SCORED}))
    whole = evaluate(model, data, config)
    validated = evaluate(model, data, EvaluationConfig(metrics="bound", split="validation"))
    estimates = {name: (evaluation.metrics[name], whole.metrics[name]) for name in ("elbo", "mse", "probe")}
    for name, (some, every) in estimates.items():
        print(f"{name}: {some.value:.4f} ± {some.standard_error:.4f} of {some.n}, {every.value:.4f} of {every.n}")
    bound, every = estimates["elbo"]
    assert abs(bound.value - every.value) < 4 * (bound.standard_error or 0)
    reconstruction = validated.metrics["reconstruction"]
    spread = (reconstruction.standard_error or 0) * (reconstruction.n / VALIDATED) ** 0.5
    assert abs(stored - reconstruction.value) < 4 * spread
    assert as_json(evaluation)["provenance"]["probe"]["largest_class"] < 0.6
    assert evaluation.metrics["nll"].value <= -evaluation.metrics["nll_bound"].value
