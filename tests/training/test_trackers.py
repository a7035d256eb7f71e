"""Trackers: TensorBoard by default, one of one's own in its place, and what is not there is refused before a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from accelerate.tracking import GeneralTracker

from spatialvae.errors import UserError
from spatialvae.training import read_journal, train
from tests.training.tiny import settings, tiny_data


class Kept(GeneralTracker):
    """A tracker that keeps what it gets."""

    name = "kept"
    requires_logging_directory = False

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.logged: list[tuple[int | None, dict[str, Any]]] = []

    @property
    def tracker(self) -> list[tuple[int | None, dict[str, Any]]]:
        return self.logged

    def start(self) -> None:
        self.calls.append("start")

    def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        self.logged.append((step, values))

    def finish(self) -> None:
        self.calls.append("finish")


def test_one_of_ones_own_gets_the_journals_numbers(tmp_path: Path) -> None:
    kept = Kept()
    train(settings(checkpoint_every=30), tiny_data(), tmp_path, track=kept, progress=False)
    assert kept.calls == ["start", "finish"]
    assert [{"images": step, **values} for step, values in kept.logged] == read_journal(tmp_path / "metrics.jsonl")
    assert not (tmp_path / "tensorboard").exists()


def test_several(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    kept = Kept()
    train(settings(), tiny_data(), tmp_path, track=["tensorboard", kept], progress=False)
    assert kept.logged
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_none(tmp_path: Path) -> None:
    train(settings(), tiny_data(), tmp_path, track="none", progress=False)
    assert not (tmp_path / "tensorboard").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (5, ["track 5 is not possible", "none"]),
        (["none", Kept], ["Kept", "is not possible"]),
        ("wand", ["track wand is not known", "'wandb'"]),
        ("aim", ["track aim needs a package", "none"]),
    ],
)
def test_one_that_is_not_there_leaves_no_folder(tmp_path: Path, name: Any, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        train(settings(), tiny_data(), tmp_path / "run", track=name, progress=False)
    assert all(word in str(caught.value) for word in words)
    assert not (tmp_path / "run").exists()


def test_one_that_does_not_start_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Kept) -> None:
        raise OSError("no login\nat all")

    monkeypatch.setattr(Kept, "start", fail)
    for track in (Kept(), ["tensorboard", Kept()]):
        with pytest.raises(UserError, match=r"^track Kept does not start: at all$"):
            train(settings(), tiny_data(), tmp_path / "run", track=track, progress=False)
        assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    with pytest.raises(UserError, match="does not start"):
        train(settings(), tiny_data(), tmp_path / "run", track=["tensorboard", Kept()], progress=False)
    assert list((tmp_path / "run").iterdir()) == []  # so that the same folder takes the next try
