"""A run that begins with another's weights: what is taken, what is not, and that both are said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from spatialvae.errors import UserError
from spatialvae.training import train
from spatialvae.training.model_stage import ModelStage
from spatialvae.training.run import Run
from spatialvae.training.state import TrainingState, make_accelerator, start
from spatialvae.training.warm_start import take_weights
from tests.training.test_adversarial import data
from tests.training.tiny import checkpoint, same, settings, weights

SMALL: dict[str, Any] = {"network": "residual:width=8,depth=1,down=2", "latent": "naive", "map_size": "4"}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("before") / "run"
    train(settings(**SMALL), data(), folder, progress=False)
    return folder


def begun(folder: Path, side: int = 16, **changed: Any) -> TrainingState[Any]:
    asked = ModelStage(settings(**{**SMALL, **changed}), data(side=side))
    return start(asked, Run(folder), make_accelerator(asked.optimisation))


def test_the_same_model_takes_all(before: Path, tmp_path: Path) -> None:
    state = begun(tmp_path, from_run=str(before))
    ours, theirs = state.network.state_dict(), weights(before)
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    assert state.began == [f"started from {before}: {len(ours)} of {len(ours)} tensors"]


def test_larger_images_and_another_latent_take_what_agrees(before: Path, tmp_path: Path) -> None:
    larger = begun(tmp_path / "a", side=32, map_size="8", from_run=str(before))
    assert larger.began[0].split(": ")[1] == f"{len(weights(before))} of {len(weights(before))} tensors"
    other = begun(tmp_path / "b", latent="matrix-normal", maps=3, from_run=str(before))
    taken, shapes, *_ = other.began
    assert 0 < int(taken.split(": ")[1].split()[0]) < len(weights(before))
    assert "of another shape: " in shapes
    assert "] here, [" in shapes
    name = "encoder.layers.0.1.weight"
    assert torch.equal(other.network.state_dict()[name], weights(before)[name])


def test_an_average_begins_there_too(before: Path, tmp_path: Path) -> None:
    state = begun(tmp_path, from_run=str(before), ema=0.9)
    assert all(torch.equal(state.scored.state_dict()[name], value) for name, value in weights(before).items())


def test_a_run_goes_on_without_the_other(before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = settings(**SMALL, from_run=str(before), checkpoint_every=10)
    train(asked, data(), tmp_path / "whole", progress=False)
    cold = settings(**SMALL, checkpoint_every=10)
    train(cold, data(), tmp_path / "cold", progress=False)
    assert not same(weights(tmp_path / "whole"), weights(tmp_path / "cold"))
    train(asked, data(), tmp_path / "part", progress=False)
    newest = max((tmp_path / "part" / "checkpoints").iterdir())
    for path in sorted(newest.rglob("*"), reverse=True):
        path.unlink()
    newest.rmdir()

    def never(*_: object) -> None:
        raise AssertionError("the other run was read")

    monkeypatch.setattr("spatialvae.training.model_stage.read_weights", never)
    train(asked, data(), tmp_path / "part", progress=False)
    assert same(checkpoint(tmp_path / "part"), checkpoint(tmp_path / "whole"))


def test_no_run_and_another_network(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere holds no model \(model.safetensors\): give a run folder"):
        train(settings(**SMALL, from_run="nowhere"), data(), tmp_path / "a", progress=False)
    assert not (tmp_path / "a").exists()
    broken = tmp_path / "broken"
    broken.mkdir()
    save_file({"encoder.a": torch.tensor([float("nan")])}, broken / "model.safetensors")
    with pytest.raises(UserError, match=r"holds numbers that are not finite \(encoder.a\)"):
        train(settings(**SMALL, from_run=str(broken)), data(), tmp_path / "b", progress=False)
    with pytest.raises(UserError, match="No tensor of runs/a has the name and the shape of one of this encoder"):
        take_weights(torch.nn.Linear(2, 3), {"weight": torch.zeros(3, 3), "other": torch.zeros(1)}, "runs/a")
