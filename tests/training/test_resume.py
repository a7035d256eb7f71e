"""k + k images give bit for bit the weights of 2k, however the first k came to an end."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spatialvae.config import TrainConfig
from spatialvae.errors import UserError
from spatialvae.store import load
from spatialvae.training import Interrupted, loop, read_journal, train
from tests.training.tiny import checkpoint, same, settings, tiny_data, weights

ROOT = Path(__file__).resolve().parents[2]

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "everything": {
        "ema": 0.5,
        "flip": True,
        "clip": 50.0,
        "kl_warmup": 80,
        "warmup": 70,
        "likelihood": "logistic",
    },
    "paper": {"objective": "paper", "latent": "vector", "batch_size": 7},
}


def run(out: Path, config: TrainConfig) -> dict[str, Any]:
    """Train or go on, and read back all that was stored."""
    train(config, tiny_data(), out, progress=False)
    return {"weights": weights(out), "checkpoint": checkpoint(out)}


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Send a signal in the middle of the n-th step from here."""
    step = loop.train_step

    def arrange(steps: int, number: signal.Signals = signal.SIGTERM) -> None:
        taken = 0

        def counted(*args: Any) -> Any:
            nonlocal taken
            taken += 1
            if taken == steps:
                signal.raise_signal(number)
            return step(*args)

        monkeypatch.setattr(loop, "train_step", counted)

    return arrange


def journal_keys(out: Path) -> list[tuple[int, bool]]:
    return [(line["images"], "validation_bound" in line) for line in read_journal(out / "metrics.jsonl")]


@pytest.mark.filterwarnings("ignore:.* is longer than the run")  # of the first half, which is what is tried
@pytest.mark.parametrize("kind", list(KINDS))
def test_k_and_k_images_are_2k(tmp_path: Path, kind: str) -> None:
    whole = run(tmp_path / "whole", settings(images=120, **KINDS[kind]))
    run(tmp_path / "parts", settings(images=60, **KINDS[kind]))
    parts = run(tmp_path / "parts", settings(images=120, **KINDS[kind]))
    assert same(parts["weights"], whole["weights"])
    assert same(parts["checkpoint"], whole["checkpoint"])
    assert TrainConfig.read(tmp_path / "parts" / "config.yaml").optimisation.images == 120


def test_a_stopped_run_goes_on_as_if_it_had_not(tmp_path: Path, stop_after: Any) -> None:
    config = settings(images=120, schedule="cosine", checkpoint_every=60, **KINDS["everything"])
    whole = run(tmp_path / "whole", config)
    for steps, number in ((1, signal.SIGTERM), (6, signal.SIGINT), (9, signal.SIGTERM)):
        out = tmp_path / f"stopped-{steps}"
        stop_after(steps, number)
        with pytest.raises(Interrupted, match=f"Stopped after {10 * steps} of 120 images") as caught:
            run(out, config)
        assert caught.value.signum == number
        parts = run(out, config)
        assert same(parts["weights"], whole["weights"])
        assert same(parts["checkpoint"], whole["checkpoint"])
        assert journal_keys(out) == journal_keys(tmp_path / "whole")


def test_a_stopped_run_can_be_loaded(tmp_path: Path, stop_after: Any) -> None:
    stop_after(3)
    with pytest.raises(Interrupted):
        run(tmp_path / "run", settings())
    assert load(tmp_path / "run").sample(2, seed=0).shape == (2, 1, 8, 8)


def test_a_stop_in_the_last_step_is_a_finished_run(tmp_path: Path, stop_after: Any) -> None:
    whole = run(tmp_path / "whole", settings())
    stop_after(6)
    assert same(run(tmp_path / "late", settings())["checkpoint"], whole["checkpoint"])
    assert journal_keys(tmp_path / "late") == journal_keys(tmp_path / "whole")


def test_work_since_the_last_checkpoint_is_done_again_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A crash (no time to save): the journal is ahead of the checkpoint, its tail is forgotten.
    monkeypatch.setattr(loop, "JOURNAL_STEPS", 2)
    config = settings(images=100, checkpoint_every=40)
    whole = run(tmp_path / "whole", config)
    taken, step = 0, loop.train_step

    def crash(*args: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken == 8:
            raise RuntimeError("power cut")
        return step(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", crash)
        with pytest.raises(RuntimeError, match="power cut"):
            run(tmp_path / "parts", config)
    assert max(images for images, _ in journal_keys(tmp_path / "parts")) == 60
    with (tmp_path / "parts" / "metrics.jsonl").open("a") as journal:
        journal.write('{"images": 70, "lo')
    parts = run(tmp_path / "parts", config)
    assert same(parts["checkpoint"], whole["checkpoint"])
    assert journal_keys(tmp_path / "parts") == journal_keys(tmp_path / "whole")


def test_a_finished_run_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run(tmp_path / "run", settings())
    journal = (tmp_path / "run" / "metrics.jsonl").read_text()
    monkeypatch.setattr(loop, "train_step", None)
    assert same(run(tmp_path / "run", settings())["checkpoint"], before["checkpoint"])
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == journal


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(settings(), tiny_data(), out, progress=False)
    newest = sorted((out / "checkpoints").iterdir())[-1]
    (newest / "optimizer.safetensors").write_bytes(b"no tensors")
    with pytest.raises(UserError, match=f"{newest} is damaged"):
        train(settings(), tiny_data(), out, progress=False)


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    one, same_again, other = (
        run(tmp_path / name, settings(seed=seed)) for name, seed in (("one", 3), ("again", 3), ("other", 4))
    )
    assert same(one["checkpoint"], same_again["checkpoint"])
    assert not same(one["weights"], other["weights"])


def test_the_checkpoints_interval_changes_no_weights(tmp_path: Path) -> None:
    often = run(tmp_path / "often", settings(checkpoint_every=10))
    assert same(often["weights"], run(tmp_path / "once", settings())["weights"])


def test_changed_settings_are_named_and_refused(tmp_path: Path) -> None:
    before = run(tmp_path / "run", settings())
    with pytest.raises(UserError) as caught:
        run(tmp_path / "run", settings(beta=2.0, latent="naive", images=120))
    message = str(caught.value)
    for words in ("beta was 1.0, now 2.0", "latent was tensor-normal, now naive", "images was 60, now 120"):
        assert words in message
    assert message.count("\n") == 1
    with pytest.raises(UserError, match="images was 60, now 50"):
        run(tmp_path / "run", settings(images=50))
    assert same(checkpoint(tmp_path / "run"), before["checkpoint"])
    own = settings(network="paper:stem=matched", head="dense", likelihood="gaussian")  # what the network stands for
    assert TrainConfig.read(tmp_path / "run" / "config.yaml") == own


def test_a_run_of_before_group_norm_goes_on_without(tmp_path: Path) -> None:
    short, full = "residual:width=8,depth=1", "residual:width=8,depth=1,norm=none"
    train(settings(network=full, map_size="4", images=60), tiny_data(), tmp_path, progress=False)
    stored = TrainConfig.read(tmp_path / "config.yaml")
    assert stored.model.network.startswith(f"{short},down=none,norm=none")
    text = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace(stored.model.network, short))
    with pytest.raises(UserError, match=r"network was .*norm=none.* now .*norm=group"):
        train(settings(network=short, map_size="4", images=120), tiny_data(), tmp_path, progress=False)
    train(settings(network=full, map_size="4", images=120), tiny_data(), tmp_path, progress=False)


def test_a_cosine_cannot_be_made_longer(tmp_path: Path) -> None:
    # Its learning rate at k images is a function of the length: 2k would not be what k + k gives.
    run(tmp_path / "run", settings(schedule="cosine"))
    with pytest.raises(UserError, match="images was 60, now 120"):
        run(tmp_path / "run", settings(schedule="cosine", images=120))


def test_other_images_are_refused(tmp_path: Path) -> None:
    run(tmp_path / "run", settings())
    with pytest.raises(UserError, match="was trained on other images than these"):
        train(settings(images=120), tiny_data(fingerprint="0b"), tmp_path / "run", progress=False)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match="is not empty and holds no run: name a new folder as out"):
        run(tmp_path, settings())


def test_settings_that_somebody_typed_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("# my own\nmaps: 2\nimages: 60\n")
    with pytest.raises(UserError, match="a run would write over it: name another folder as out"):
        run(tmp_path, settings())
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    assert (tmp_path / "config.yaml").read_text().startswith("# my own")


@pytest.mark.parametrize("split", ["train", "validation"])
def test_data_without_a_split_leaves_no_folder_behind(tmp_path: Path, split: str) -> None:
    data = tiny_data()
    lacking = replace(data, splits={name: part for name, part in data.splits.items() if name != split})
    with pytest.raises(UserError):
        train(settings(), lacking, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"latent": "low_rank"}, "no latent 'low_rank'"),
        ({"likelihood": "normal"}, "no likelihood 'normal'"),
        ({"map_size": "9"}, "does not fit into images of 8x8"),
    ],
)
def test_a_typo_leaves_no_folder_behind(tmp_path: Path, wrong: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        run(tmp_path / "run", settings(**wrong))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_real_signal_from_outside(tmp_path: Path) -> None:
    config = "settings(images=100_000, schedule='cosine', checkpoint_every=100_000)"
    script = f"""
        from pathlib import Path
        from spatialvae.training import Interrupted, train
        from tests.training.tiny import settings, tiny_data
        print("ready", flush=True)
        try:
            train({config}, tiny_data(), Path({str(tmp_path / "run")!r}), progress=False)
        except Interrupted as stop:
            print(f"signal {{stop.signum}}: {{stop}}")
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1", "PATH": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        journal = tmp_path / "run" / "metrics.jsonl"
        while child.poll() is None and not (journal.exists() and journal.stat().st_size):
            time.sleep(0.05)  # the journal's first line comes after 50 steps
        child.send_signal(signal.SIGTERM)
        errors, _ = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 0
    assert f"signal {int(signal.SIGTERM)}: Stopped after" in errors
    seen = int(errors.split("Stopped after ")[1].split()[0])
    assert (tmp_path / "run" / "checkpoints" / f"{seen:012d}" / "state.json").is_file()
    assert load(tmp_path / "run").latent.maps == 2
