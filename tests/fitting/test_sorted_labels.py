"""Images sorted by their labels, more of them than are taken: priors and probe know every class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spatialvae.config import PriorConfig
from spatialvae.data import prepare
from spatialvae.fitting import fit_prior
from spatialvae.metrics.latent.probe import probe
from spatialvae.posterior_codes import PosteriorCodes
from spatialvae.priors import parse_family
from spatialvae.store import load
from spatialvae.training import train
from tests.conftest import smooth_images
from tests.training.tiny import settings

LEVELS = {"dark": 20, "grey": 110, "pale": 200}


@pytest.mark.slow
def test_sorted_images_lose_no_class(tmp_path: Path) -> None:
    pictures = [level + smooth_images(100, 1, 8, 8, seed=level) // 6 for level in LEVELS.values()]
    np.savez(tmp_path / "sorted.npz", images=np.concatenate(pictures), labels=np.repeat(list(LEVELS), 100))
    data, folder = prepare(str(tmp_path / "sorted.npz")), tmp_path / "run"
    model = train(settings(images=6000, batch_size=20, learning_rate=0.005), data, folder, progress=False).model
    priors = ("mixture:components=3", "flow-matching:width=64,blocks=2")
    with PosteriorCodes(model, data, limit=90) as codes:
        assert codes.labels.names == tuple(LEVELS)
        assert codes.labels.counts is not None
        assert min(codes.labels.counts) > 15
        training = PriorConfig(images=40_000, batch_size=100, learning_rate=0.003)
        for prior in priors:
            fit_prior(model, folder, parse_family(prior), codes, training=training)
    model, middles = load(folder), np.array(list(LEVELS.values())) + 21
    for prior in priors:
        for place, label in enumerate(LEVELS):
            drawn = model.sample(100, prior=prior, label=label, seed=0).double().mean((1, 2, 3)).numpy()
            nearest = np.abs(drawn[:, None] - middles).argmin(1)
            assert np.bincount(nearest, minlength=3).argmax() == place, (prior, label)
            assert (nearest == place).mean() > 0.7, (prior, label)
    correct, note = probe(model, data, "test", 10)
    assert (note.classes, len(correct)) == (3, 10)
    assert correct.mean() > 0.8
