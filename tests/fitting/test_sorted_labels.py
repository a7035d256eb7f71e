"""Images sorted by their labels, more of them than are taken: priors and probe know every class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spatialvae.codes import PosteriorCodes
from spatialvae.config import PriorConfig
from spatialvae.data import prepare
from spatialvae.fitting import fit_prior
from spatialvae.metrics.probe import probe
from spatialvae.priors import parse_family
from spatialvae.store import load
from spatialvae.training import train
from tests.conftest import smooth_images
from tests.training.tiny import settings

LEVELS = {"dark": 20, "grey": 110, "pale": 200}


@pytest.mark.slow
@pytest.mark.parametrize("prior", ["mixture:components=3", "mixture:components=2", "diffusion:width=64,blocks=2"])
def test_sorted_images_lose_no_class(tmp_path: Path, prior: str) -> None:
    pictures = [level + smooth_images(100, 1, 8, 8, seed=level) // 6 for level in LEVELS.values()]
    np.savez(tmp_path / "sorted.npz", images=np.concatenate(pictures), labels=np.repeat(list(LEVELS), 100))
    data = prepare(str(tmp_path / "sorted.npz"))
    folder = tmp_path / "run"
    model = train(settings(images=6000, learning_rate=0.005), data, folder, progress=False)
    with PosteriorCodes(model, data, limit=90) as codes:
        assert codes.labels.names == tuple(LEVELS)
        assert codes.labels.counts is not None
        assert min(codes.labels.counts) > 15
        training = PriorConfig(images=20_000, batch_size=100, learning_rate=0.003)
        fit_prior(model, folder, parse_family(prior), codes, training=training)
    model = load(folder)
    for label, level in LEVELS.items():
        drawn = model.sample(50, prior=prior, label=label, seed=0).double().mean((1, 2, 3))
        middles = torch.tensor([own + 21.0 for own in LEVELS.values()]).double()
        nearest = (drawn[:, None] - middles).abs().argmin(1)
        share = (nearest == list(LEVELS.values()).index(level)).double().mean()
        assert share > (0.9 if prior != "mixture:components=2" else 0.4)
    correct, said = probe(model, data, "test", 10)
    assert (said["classes"], len(correct)) == (3, 10)
    assert correct.mean() > 0.8
