"""`spatialvae.fit_prior`: for a run, a folder and a model in memory."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import spatialvae as sv
from spatialvae.config import PriorConfig
from spatialvae.errors import UserError
from spatialvae.fitting import api
from spatialvae.store import load
from spatialvae.training import FinishedRun, Interrupted, loop, open_run, read_journal, train
from tests.conftest import smooth_images
from tests.training.tiny import same, settings, tiny_data


@pytest.fixture
def run(tmp_path: Path) -> FinishedRun:
    return train(settings(images=20), tiny_data(), tmp_path / "run", progress=False)


def test_a_run_keeps_it(run: FinishedRun) -> None:
    fitted = sv.fit_prior(run, "mixture:components=2", tiny_data(), progress=False)
    assert fitted.held_out.n == 25
    first, second, *_ = repr(fitted).splitlines()
    assert first.startswith("mixture:components=2: log-density of held-out codes ") and "nats" in first
    assert second == "  fitted to the training split, all 60 images"
    loaded = load(run.folder)
    name = "mixture:components=2"
    assert torch.equal(loaded.sample(2, seed=0, prior=name), run.model.sample(2, seed=0, prior=name))


def test_a_model_in_memory_has_it(run: FinishedRun, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.rglob("*"))
    images = {name: split.images.copy() for name, split in tiny_data().splits.items()}
    sv.fit_prior(run.model, "mixture:components=2", images, progress=False)
    sv.fit_prior(run.model, "mixture:components=2", images, progress=False, seed=1)  # in the place of the first
    assert list(run.model.priors) == ["gaussian", "mixture:components=2"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_length_in_images_is_told_from_the_images(run: FinishedRun) -> None:
    twice: dict[str, Any] = {"images": 500}
    with pytest.raises(UserError, match=r"images is given twice.*epochs"):
        sv.fit_prior(run, "flow", tiny_data(), **twice)


@pytest.mark.parametrize(
    ("prior", "options", "words"),
    [
        ("mixtur", {}, ["'mixture'"]),
        ("gaussian", {"learning_rate": 0.1}, ["learning_rate is for priors with a network", "gaussian"]),
        ("flow", {"lerning_rate": 0.1}, ["'learning_rate'"]),
        ("gaussian", {}, ["no file holds"]),
        ("gaussian", {"images": smooth_images(100, 3, 9, 8)}, ["9x8 with 3", "8x8 with 1"]),
    ],
)
def test_mistakes(run: FinishedRun, prior: str, options: dict, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        sv.fit_prior(run, prior, progress=False, **options)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_model_wants_images(run: FinishedRun) -> None:
    with pytest.raises(UserError, match="give images"):
        sv.fit_prior(run.model)


FLOW = "flow:couplings=2,width=16"
TINY: dict[str, Any] = {"epochs": 2, "batch_size": 20, "warmup": 0, "checkpoint_every": 40, "progress": False}


def interrupted(monkeypatch: pytest.MonkeyPatch, fit: Callable[[], object]) -> str:
    """What is raised where a signal comes in the fourth of six steps."""
    with monkeypatch.context() as patch:
        step, calls = loop.train_step, list[int]()

        def counted(*arguments: Any) -> Any:
            calls.append(len(calls))
            if len(calls) == 4:
                signal.raise_signal(signal.SIGTERM)
            return step(*arguments)

        patch.setattr(loop, "train_step", counted)
        with pytest.raises(Interrupted) as stop:
            fit()
    return str(stop.value)


def test_a_flow_is_trained_as_its_settings_say(run: FinishedRun) -> None:
    sv.fit_prior(run, FLOW, tiny_data(), **TINY)
    (folder,) = (run.folder / "priors").iterdir()
    config = PriorConfig.read(folder / "config.yaml")
    assert (config.images, config.epochs, config.batch_size, config.warmup) == (120, None, 20, 0)
    assert read_journal(folder / "metrics.jsonl")[-1]["images"] == 120


def test_an_interrupted_fit_goes_on_though_the_model_has_such_a_prior(
    run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sv.fit_prior(run, FLOW, tiny_data(), **{**TINY, "epochs": 1})
    assert "saved in" in interrupted(monkeypatch, lambda: sv.fit_prior(run, FLOW, tiny_data(), **TINY))
    steps: list[int] = []
    with monkeypatch.context() as patch:
        step = loop.train_step
        patch.setattr(loop, "train_step", lambda state, *rest: steps.append(state.step) or step(state, *rest))
        sv.fit_prior(run, FLOW, tiny_data(), **TINY)
        assert steps == [4, 5]
        whole = {name: value.clone() for name, value in run.model.priors[FLOW].state_dict().items()}
        sv.fit_prior(run, FLOW, tiny_data(), **TINY)  # that one is complete
    assert steps == [4, 5, *range(6)]
    assert same(run.model.priors[FLOW].state_dict(), whole)


def test_of_a_model_in_memory_nothing_is_kept(run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    message = interrupted(monkeypatch, lambda: sv.fit_prior(run.model, FLOW, tiny_data(), **TINY))
    assert "nothing of it was kept" in message and "goes on" not in message and "/" not in message


def test_where_it_computes(run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    devices: list[torch.device] = []

    def opened(folder: Any, *, device: torch.device) -> FinishedRun:
        devices.append(device)
        return open_run(folder)

    monkeypatch.setattr(api, "open_run", opened)
    monkeypatch.setattr("spatialvae.devices.fastest_device", lambda: torch.device("meta"))
    for device in (None, "cpu", torch.device("cpu")):
        sv.fit_prior(run.folder, "gaussian", tiny_data(), device=device, progress=False)
    assert [device.type for device in devices] == ["meta", "cpu", "cpu"]
    with pytest.raises(UserError, match="device gpu is not known"):
        sv.fit_prior(run.folder, "gaussian", tiny_data(), device="gpu", progress=False)
    with pytest.raises(UserError, match="computes where it is"):
        sv.fit_prior(run.model, "gaussian", tiny_data(), device="cpu", progress=False)
