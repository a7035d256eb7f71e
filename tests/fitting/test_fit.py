"""Priors with a network on the codes of a real, small run: trained, stored, loaded and drawn from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from spatialvae.config import PriorConfig
from spatialvae.data.subset import subset
from spatialvae.errors import UserError
from spatialvae.fitting import fit_missing, fit_prior
from spatialvae.posterior_codes import PosteriorCodes
from spatialvae.priors import GaussianFamily, GaussianPrior, signal
from spatialvae.priors.gaussian import GaussianCodes
from spatialvae.store import load, prior_file
from spatialvae.training import loop, read_journal, train
from tests.training.tiny import same, settings, tiny_data


@pytest.mark.parametrize("name", ["flow:couplings=2,width=16", "flow-matching:width=16,blocks=1,steps=4"])
def test_a_prior_with_a_network_is_fitted_kept_and_drawn_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    model = train(settings(), tiny_data(), tmp_path / "run", progress=False).model
    training = PriorConfig(images=100, batch_size=20, warmup=0)
    prior = fit_missing(model, tiny_data(), tmp_path / "run", [name], training=training)[name]
    assert torch.isfinite(torch.tensor(prior.held_out.value))
    (folder,) = (tmp_path / "run" / "priors").iterdir()
    assert {"config.yaml", "metrics.jsonl", "checkpoints", "network.safetensors"} <= {p.name for p in folder.iterdir()}
    again = load(tmp_path / "run")
    assert torch.equal(again.sample(3, seed=0, prior=name), model.sample(3, seed=0, prior=name))
    assert not torch.equal(again.sample(3, seed=0, prior=name), again.sample(3, seed=0, prior="gaussian"))
    monkeypatch.setattr(loop, "train_step", None)  # nothing is left to train, and the file comes back as it was
    stored = model.priors.pop(name).state_dict()
    fit_missing(model, tiny_data(), tmp_path / "run", [name], training=training)
    assert same(load_file(prior_file(tmp_path / "run", name)), stored)


def test_fitting_again_begins_anew(tmp_path: Path) -> None:
    model = train(settings(), tiny_data(), tmp_path / "run", progress=False).model
    name, run = "flow-matching:width=16,blocks=1,steps=4", tmp_path / "run"
    short, longer = (PriorConfig(images=images, batch_size=20, warmup=0) for images in (40, 80))
    fit_missing(model, tiny_data(), run, [name], training=short)
    (folder,) = (run / "priors").iterdir()
    assert read_journal(folder / "metrics.jsonl")[-1]["images"] == 40
    assert fit_missing(model, tiny_data(), run, [name], training=longer) == {}
    fit_missing(model, tiny_data(), run, [name], training=longer, again=True)
    assert read_journal(folder / "metrics.jsonl")[-1]["images"] == 80


@pytest.mark.parametrize("name", ["flow:couplings=2,width=16", "flow-matching:width=16,blocks=1,steps=4"])
def test_networks_work_on_what_tells_images_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(signal, "SHARE", 1.0)  # nothing reaches it: the two strongest directions remain
    model = train(settings(), tiny_data(), tmp_path / "run", progress=False).model
    training = PriorConfig(images=100, batch_size=20, warmup=0)
    prior = fit_missing(model, tiny_data(), tmp_path / "run", [name], training=training)[name]
    assert prior.notes == ["Its network works on the 2 of 18 directions that tell images apart."]
    again = load(tmp_path / "run")
    assert again.priors[name].state_dict()["network.basis"].shape == (18, 2)
    assert torch.equal(again.sample(3, seed=0, prior=name), model.sample(3, seed=0, prior=name))


def test_a_slow_prior_is_measured_on_drawn_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(GaussianPrior, "scored", 6)
    log_prob = GaussianCodes.log_prob
    monkeypatch.setattr(GaussianCodes, "log_prob", lambda self, codes: seen.append(codes) or log_prob(self, codes))
    model = train(settings(), tiny_data(), tmp_path / "run", progress=False).model
    with PosteriorCodes(model, tiny_data(), limit=40, seed=2) as codes:
        prior = fit_prior(model, tmp_path / "run", GaussianFamily(), codes, seed=2)
        assert torch.equal(seen[-1], codes.held_out[torch.from_numpy(subset(25, 6, seed=2))])
    assert prior.held_out.n == 6
    assert prior.fitted_to == {"images": 40, "of": 60, "seed": 2}


def test_a_fit_is_kept_though_it_cannot_be_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise UserError("There is no density here.")

    run = tmp_path / "run"
    model = train(settings(), tiny_data(), run, progress=False).model
    prior_file(run, "gaussian").unlink()
    model.priors.clear()
    monkeypatch.setattr(GaussianCodes, "log_prob", refuse)
    failed: dict[str, str] = {}
    assert fit_missing(model, tiny_data(), run, ["gaussian"], failed=failed) == {}
    assert failed == {"gaussian": "There is no density here."}
    assert prior_file(run, "gaussian").is_file() and "gaussian" in model.priors
    with pytest.raises(UserError, match="no density here"):
        fit_missing(model, tiny_data(), run, ["gaussian"], again=True)
