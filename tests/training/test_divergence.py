"""Training that really diverges: nothing of it is stored, and the same folder goes on with a smaller rate."""

from __future__ import annotations

import json
import math
import signal
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from spatialvae.config import Optimisation, PriorConfig, TrainConfig
from spatialvae.errors import UserError
from spatialvae.store import load
from spatialvae.tensors import not_finite
from spatialvae.training import Interrupted, Run, loop, read_journal, train
from spatialvae.training.divergence import Diverged, spell_remedies
from spatialvae.training.journal import Journal
from spatialvae.training.state import TrainingState
from tests.training.tiny import checkpoint, same, settings, tiny_data, weights

HUGE = 1e20


def run(out: Path, **changed: Any) -> None:
    train(settings(**changed), tiny_data(), out, progress=False)


def diverged(out: Path, **changed: Any) -> str:
    """What is said of a run that diverges, in two lines."""
    with pytest.raises(Diverged) as caught:
        run(out, **changed)
    assert str(caught.value).count("\n") == 1
    return str(caught.value)


def strict_journal(out: Path) -> list[dict[str, Any]]:
    """The journal, read by the letter of JSON."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in (out / "metrics.jsonl").read_text().splitlines()]


def ruin(patch: pytest.MonkeyPatch, step: int, name: str = "", value: float = HUGE) -> None:
    """Ruin the weights, or the one tensor that is named, by the n-th step from here."""
    taken, before = 0, loop.train_step

    def ruined(state: TrainingState, *arguments: Any) -> Any:
        nonlocal taken
        result = before(state, *arguments)
        taken += 1
        if taken == step:
            for key, tensor in state.network.state_dict().items():
                if tensor.is_floating_point() and (not name or key == name):
                    tensor.fill_(value)
        return result

    patch.setattr(loop, "train_step", ruined)


def break_file(path: Path) -> None:
    """Put NaN into every number of a file of weights."""
    tensors = load_file(path)
    save_file({name: value * math.nan if value.is_floating_point() else value for name, value in tensors.items()}, path)


def test_weights_that_the_last_step_ruined_are_not_stored(tmp_path: Path) -> None:
    message = diverged(tmp_path / "run", images=10, learning_rate=HUGE)
    assert "after step 1" in message
    assert "Nothing is stored yet: repeat the same command with learning_rate 0.001 (or clip 1000)." in message
    files = {path.name for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert {name for name in files if not name.startswith("events")} == {"config.yaml", "data.json", "metrics.jsonl"}
    assert strict_journal(tmp_path / "run")[-1]["diverged"] in message


def test_the_folder_of_a_run_without_a_checkpoint_takes_other_settings(tmp_path: Path) -> None:
    diverged(tmp_path / "run", learning_rate=HUGE)
    run(tmp_path / "run", latent="vector", images=40)
    run(tmp_path / "calm", latent="vector", images=40)
    assert same(checkpoint(tmp_path / "run"), checkpoint(tmp_path / "calm"))
    own = settings(latent="vector", images=40, network="paper:stem=matched", head="dense", likelihood="gaussian")
    assert TrainConfig.read(tmp_path / "run" / "config.yaml") == own
    lines = [[line.keys() for line in strict_journal(tmp_path / name)] for name in ("run", "calm")]
    assert lines[0] == lines[1]


def test_it_goes_on_from_the_last_checkpoint_with_a_smaller_rate(tmp_path: Path) -> None:
    out = tmp_path / "run"
    warm = {"images": 200, "checkpoint_every": 20, "learning_rate": 2e-3}
    with pytest.MonkeyPatch.context() as patch:
        ruin(patch, step=5)
        message = diverged(out, **warm)
    assert (
        "The checkpoint after 40 images is kept: the same command goes on from it with learning_rate 0.0007" in message
    )
    kept = checkpoint(out)
    assert not not_finite(kept) and not not_finite(weights(out))
    stored = {f"model.{name}": value for name, value in weights(out).items()}
    assert same(stored, {name: value for name, value in kept.items() if name in stored})
    with pytest.raises(UserError, match=r"beta was 1\.0, now 2.0"):  # that is another run, diverged or not
        run(out, **warm | {"beta": 2.0})
    run(out, **warm | {"learning_rate": 1e-3, "clip": 1000.0})
    lines = strict_journal(out)
    assert [line for line in lines if "changed" in line] == [
        {"images": 40, "changed": {"clip": [None, 1000.0], "learning_rate": [0.002, 0.001]}}
    ]
    assert not [line for line in lines if "diverged" in line]
    assert lines[-1]["images"] == 200
    assert TrainConfig.read(out / "config.yaml").optimisation.learning_rate == 1e-3
    with pytest.raises(UserError, match=r"learning_rate was 0\.001, now 0.01"):  # it went well
        run(out, **warm | {"learning_rate": 1e-2, "clip": 1000.0})


@pytest.mark.parametrize("name", ["decoder.stem.0.0.weight", "encoder.layers.0.1.running_var", "likelihood.log_scale"])
def test_every_weight_and_buffer_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    ruin(monkeypatch, 2, name, math.nan)
    assert f"not finite after step 2: {name}.\n" in diverged(tmp_path / "run", images=20)


def test_moments_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = loop.train_step

    def ruined(state: TrainingState, *arguments: Any) -> Any:
        result = before(state, *arguments)
        next(iter(state.optimizer.state.values()))["exp_avg_sq"].fill_(math.inf)
        return result

    monkeypatch.setattr(loop, "train_step", ruined)
    assert "not finite after step 6: moment exp_avg_sq of weight 0" in diverged(tmp_path / "run")


def test_weights_behind_an_average_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The average has not taken them in yet: it still measures well.
    ruin(monkeypatch, 2)
    message = diverged(tmp_path / "run", images=20, ema=0.9)
    assert "of no use after step 2" in message and "loss nan" in message


def test_a_stop_stores_no_weights_that_diverged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ruin(monkeypatch, 3)
    ruined = loop.train_step

    def stopped(state: TrainingState, *arguments: Any) -> Any:
        if state.step == 2:
            signal.raise_signal(signal.SIGTERM)
        return ruined(state, *arguments)

    monkeypatch.setattr(loop, "train_step", stopped)
    with pytest.raises((Diverged, Interrupted)) as caught:
        run(tmp_path / "run")
    assert caught.type is Diverged
    assert not list((tmp_path / "run" / "checkpoints").glob("*"))


def test_a_checkpoint_of_weights_that_diverged_is_refused(tmp_path: Path) -> None:
    # As earlier versions wrote them.
    run(tmp_path / "run", images=20, checkpoint_every=10)
    break_file(max((tmp_path / "run" / "checkpoints").iterdir()) / "model.safetensors")
    with pytest.raises(UserError, match="goes on from the checkpoint before it"):
        run(tmp_path / "run", images=40, checkpoint_every=10)


def test_the_journal_is_json_by_the_letter(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"images": 10, "loss": NaN}\n')  # as earlier versions wrote it
    with Journal(Run(tmp_path), seen=10) as journal:
        journal.write(20, {"loss": math.inf, "bound": 1.5})
    assert strict_journal(tmp_path) == [{"images": 10, "loss": None}, {"images": 20, "loss": None, "bound": 1.5}]
    assert read_journal(tmp_path / "metrics.jsonl") == strict_journal(tmp_path)


def test_a_model_that_diverged_is_not_loaded(tmp_path: Path) -> None:
    run(tmp_path / "run", images=10)
    break_file(tmp_path / "run" / "model.safetensors")
    with pytest.raises(UserError, match="holds numbers that are not finite"):
        load(tmp_path / "run")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Optimisation(learning_rate=60, precision="fp32"), "learning_rate 0.001 (or clip 1000)"),
        (
            Optimisation(learning_rate=1e-3, precision="bf16"),
            "learning_rate 0.0003 (or clip 1000, precision fp32)",
        ),
        (Optimisation(learning_rate=3e-5, clip=20, precision="fp32"), "learning_rate 0.00001 (or clip 2)"),
        (Optimisation(learning_rate=2.9e-3, precision="fp32"), "learning_rate 0.001 (or clip 1000)"),
        (PriorConfig(learning_rate=1e3, precision="fp32"), "learning_rate 0.002 (or clip 0.1)"),
    ],
)
def test_advice_is_spelled_as_one_would_type_it(config: Optimisation, message: str) -> None:
    assert UserError(spell_remedies(config)).args == (message,)
