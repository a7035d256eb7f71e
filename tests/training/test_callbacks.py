"""Callbacks: when they are called, with what, and that they change nothing but where training ends."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spatialvae.model import SpatialVAE
from spatialvae.store import load
from spatialvae.training import Callback, StopTraining, TrainingEvent, read_journal, train
from tests.training.tiny import checkpoint, same, settings, tiny_data, weights


class Notes(Callback):
    """Writes down every call, and draws from torch's generator as a careless callback would."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.values: dict[str, list[dict[str, float]]] = {"step": [], "validation": [], "finish": []}

    def note(self, kind: str, event: TrainingEvent) -> None:
        torch.rand(3)
        self.calls.append((kind, event.images))
        self.values[kind].append(event.values)
        assert event.total == 60
        assert isinstance(event.model, SpatialVAE)

    def on_step(self, event: TrainingEvent) -> None:
        self.note("step", event)

    def on_validation(self, event: TrainingEvent) -> None:
        self.note("validation", event)

    def on_finish(self, event: TrainingEvent) -> None:
        self.note("finish", event)
        assert not event.model.training


class At(Callback):
    """Raises an error after so many images."""

    def __init__(self, images: int, error: Exception) -> None:
        self.images, self.error = images, error

    def on_step(self, event: TrainingEvent) -> None:
        if event.images == self.images:
            raise self.error


def test_they_are_called_in_order_with_the_journals_values(tmp_path: Path) -> None:
    notes, config = Notes(), settings(checkpoint_every=30)
    train(config, tiny_data(), tmp_path / "run", callbacks=[notes], progress=False)
    steps = [("step", images) for images in range(10, 70, 10)]
    assert notes.calls == [*steps[:3], ("validation", 30), *steps[3:], ("validation", 60), ("finish", 60)]
    lines = read_journal(tmp_path / "run" / "metrics.jsonl")
    measured = [{k: v for k, v in line.items() if k != "images"} for line in lines if "validation_bound" in line]
    assert notes.values["validation"] == measured
    assert notes.values["finish"] == measured[-1:]
    (line,) = [line for line in lines if "loss" in line]
    last = notes.values["step"][-1]
    assert set(last) == set(line) - {"images"}
    assert all(last[name] == line[name] for name in last if name != "images_per_second")


def test_they_change_no_number(tmp_path: Path) -> None:
    train(settings(), tiny_data(), tmp_path / "plain", progress=False)
    train(settings(), tiny_data(), tmp_path / "called", callbacks=[Notes()], progress=False)
    assert same(checkpoint(tmp_path / "plain"), checkpoint(tmp_path / "called"))
    assert same(weights(tmp_path / "plain"), weights(tmp_path / "called"))


def test_one_ends_the_run_which_goes_on_by_the_same_call(tmp_path: Path) -> None:
    out, notes = tmp_path / "run", Notes()
    train(settings(), tiny_data(), out, callbacks=[At(40, StopTraining()), notes], progress=False)
    assert notes.calls[-2:] == [("validation", 40), ("finish", 40)]
    assert [path.name for path in (out / "checkpoints").iterdir()] == [f"{40:012d}"]
    assert "gaussian" in load(out).priors
    assert read_journal(out / "metrics.jsonl")[-1]["images"] == 40
    train(settings(), tiny_data(), out, progress=False)
    train(settings(), tiny_data(), tmp_path / "whole", progress=False)
    assert same(checkpoint(out), checkpoint(tmp_path / "whole"))


def test_a_validation_can_end_the_run_too(tmp_path: Path) -> None:
    class Enough(Callback):
        def on_validation(self, event: TrainingEvent) -> None:
            raise StopTraining

    train(settings(checkpoint_every=20), tiny_data(), tmp_path, callbacks=[Enough()], progress=False)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [f"{20:012d}"]


def test_an_error_in_one_loses_nothing(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(KeyError, match="mine"):
        train(settings(), tiny_data(), out, callbacks=[At(40, KeyError("mine"))], progress=False)
    assert [path.name for path in (out / "checkpoints").iterdir()] == [f"{40:012d}"]
    train(settings(), tiny_data(), out, progress=False)
    train(settings(), tiny_data(), tmp_path / "whole", progress=False)
    assert same(weights(out), weights(tmp_path / "whole"))


def test_a_complete_run_is_finished_again(tmp_path: Path) -> None:
    train(settings(), tiny_data(), tmp_path, progress=False)
    notes = Notes()
    train(settings(), tiny_data(), tmp_path, callbacks=[notes], progress=False)
    assert notes.calls == [("finish", 60)]
