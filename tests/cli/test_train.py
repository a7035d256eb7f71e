"""`spatialvae train`: the run folder, the same command again, a stop and what follows, a run from its settings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from spatialvae.config import TrainConfig
from spatialvae.store import load
from spatialvae.training import read_journal
from tests.cli.conftest import SETTINGS
from tests.cli.program import spatialvae, stop_at_step
from tests.training.tiny import checkpoint, same

ROOT = Path(__file__).resolve().parents[2]


def weights(folder: Path) -> dict:
    return load_file(folder / "model.safetensors")


def test_the_run_folder(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    files = {"config.yaml", "config.json", "model.safetensors", "prior-gaussian.safetensors", "metrics.jsonl"}
    assert files | {"checkpoints", "grids"} <= names
    assert TrainConfig.read(run / "config.yaml").optimisation.images == 100
    assert load(run).sample(2, prior="gaussian").shape == (2, 1, 8, 8)
    assert sorted(path.name for path in (run / "grids").iterdir())[-2:] == [
        "000000100-reconstructions.png",
        "000000100-samples.png",
    ]


def test_json(run: Path, images: Path) -> None:
    result = spatialvae("train", "--data", images, "--images", 100, *SETTINGS, "--out", run, "--json").json
    assert result["run"] == str(run)
    assert result["latent"] == "tensor-normal:maps=2,height=3,width=3"
    assert result["encoder_outputs"] == 2 * 3 * 3 + 3 + 3
    assert result["parameters"] == sum(parameter.numel() for parameter in load(run).parameters())
    line = [line for line in read_journal(run / "metrics.jsonl") if "validation_bound" in line][-1]
    assert {key: result[key] for key in line} == line
    assert result["validation_bound"] == pytest.approx(result["validation_reconstruction"] - result["validation_kl"])


def test_words(run: Path, images: Path) -> None:
    result = spatialvae("train", "--data", images, "--images", 100, *SETTINGS, "--out", run)
    assert result.code == 0
    assert "after 100 images: validation bound" in result.out
    assert f"next: spatialvae sample {run}" in result.out


def test_the_same_command_again_does_nothing(own_run: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in own_run.rglob("*.safetensors")}
    monkeypatch.setattr("spatialvae.training.loop.train_step", None)
    assert spatialvae("train", "--data", images, "--images", 100, *SETTINGS, "--out", own_run).code == 0
    assert {path: path.stat().st_mtime_ns for path in own_run.rglob("*.safetensors")} == before


def test_more_images_go_on(own_run: Path, images: Path, tmp_path: Path) -> None:
    for out in (own_run, tmp_path / "whole"):
        assert spatialvae("train", "--data", images, "--images", 200, *SETTINGS, "--out", out).code == 0
    assert same(weights(own_run), weights(tmp_path / "whole"))
    priors = [load_file(out / "prior-gaussian.safetensors") for out in (own_run, tmp_path / "whole")]
    assert same(*priors)


def test_changed_settings_are_refused(own_run: Path, images: Path) -> None:
    line = ("train", "--data", images, "--images", 100, *SETTINGS, "--out", own_run)
    message = spatialvae(*line, "--latent", "naive", "--beta", 2).complaint
    assert "--latent was tensor-normal, now naive; --beta was 1.0, now 2.0" in message


def test_a_folder_with_something_else_is_refused(images: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    message = spatialvae("train", "--data", images, "--images", 40, "--out", tmp_path).complaint
    assert "is not empty and holds no run" in message
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_settings_from_a_run_give_that_run(run: Path, tmp_path: Path) -> None:
    again = spatialvae("train", "--config", run / "config.yaml", "--out", tmp_path / "again", "--json")
    assert again.json["images"] == 100
    assert same(checkpoint(tmp_path / "again"), checkpoint(run))
    assert (tmp_path / "again" / "config.yaml").read_text() == (run / "config.yaml").read_text()


def test_flags_go_before_the_file(run: Path, tmp_path: Path) -> None:
    line = ("train", "--config", run / "config.yaml", "--latent", "vector:maps=3", "--epochs", "0.5", "--flip")
    assert spatialvae(*line, "--out", tmp_path / "new").code == 0
    written = yaml.safe_load((tmp_path / "new" / "config.yaml").read_text())
    assert (written["latent"], written["flip"], written["batch_size"]) == ("vector:maps=3", True, 20)
    assert 50 <= written["images"] < 60  # half of the training images
    assert load(tmp_path / "new").latent.maps == 3


def test_the_embedded_data_are_the_default(tmp_path: Path) -> None:
    result = spatialvae("train", "--images", 40, *SETTINGS, "--out", tmp_path / "run", "--json").json
    assert result["images"] == 40
    assert load(tmp_path / "run").config.image_size == (8, 8)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_goes_on_by_the_same_command(
    run: Path, images: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "run"
    line = ("train", "--data", images, "--images", 100, *SETTINGS, "--out", out, "--json")
    with pytest.MonkeyPatch.context() as patch:
        stop_at_step(patch, 3, number)
        stopped = spatialvae(*line)
    assert (stopped.code, stopped.out) == (code, "")
    assert f"Stopped after 60 of 100 images, all saved in {out}.\nThe same command goes on from there." in stopped.err
    assert "Traceback" not in stopped.err
    assert load(out).sample(1).shape == (1, 1, 8, 8)
    assert spatialvae(*line).json["images"] == 100
    assert same(checkpoint(out), checkpoint(run))  # the run that nobody stopped
    assert same(weights(out), weights(run))


def test_sigterm_from_outside(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    line = ["train", "--data", images, "--images", 1_000_000, *SETTINGS, "--out", out, "--json"]
    child = subprocess.Popen(
        [sys.executable, "-m", "spatialvae", *(str(word) for word in line)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        journal = out / "metrics.jsonl"
        while child.poll() is None and not (journal.exists() and journal.stat().st_size):
            time.sleep(0.05)
        child.send_signal(signal.SIGTERM)
        printed, errors = child.communicate(timeout=120)
    finally:
        child.kill()
    assert (child.returncode, printed) == (143, "")
    assert "all saved in" in errors and "Traceback" not in errors
    seen = int(errors.split("Stopped after ")[1].split()[0])
    assert f"{seen:012d}" in [path.name for path in (out / "checkpoints").iterdir()]
    assert load(out).config.channels == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--latent lowrank", ["'lowrank'", "'low-rank'"]),
        ("--latent low-rank:rnk=2", ["'rnk'", "'rank'"]),
        ("--latent low-rank:rank=9", ["rank=9", "rank=3"]),
        ("--latent vector:maps=many", ["maps=many", "vector:maps=2"]),
        ("--latent matrix-normal:covariance=ful", ["covariance=ful", "'full'"]),
        ("--prior lerned", ["'lerned'", "'learned'"]),
        ("--prior learned:latent=nave", ["'nave'", "'naive'"]),
        ("--likelihood gausian", ["'gausian'", "'gaussian'"]),
        ("--likelihood gaussian:scale=-1", ["scale=-1", "scale=0.1"]),
        ("--data digts", ["'digts'", "'digits'"]),
        ("--data ./none", ["./none", "digits"]),
        ("--objective elbow", ["elbow", "'elbo'"]),
        ("--objective paper --likelihood bernoulli", ["--likelihood"]),
        ("--precision fp61", ["fp61", "'fp16'"]),
        ("--schedule cosin", ["cosin", "'cosine'"]),
        ("--network paper:stem=author", ["author", "'authors'"]),
        ("--map-size 3by", ["3by", "3x5"]),
        ("--map-size 99", ["99x99", "8x8"]),
        ("--maps 0", ["--maps", "1"]),
        ("--beta -1", ["--beta", "-1", "0"]),
        ("--batch-size 1", ["--batch-size", "1", "2"]),
        ("--learning-rate 0", ["--learning-rate", "0"]),
        ("--learning-rate inf", ["--learning-rate", "inf", "finite"]),
        ("--beta inf", ["--beta", "inf", "finite"]),
        ("--epochs inf", ["--epochs", "inf", "finite"]),
        ("--ema nan", ["--ema", "nan", "finite"]),
        ("--seed 18446744073709551616", ["--seed", "9223372036854775807"]),
        ("--device gpu", ["--device gpu", "cpu, cuda, cuda:1"]),
        ("--device cuda:x", ["--device cuda:x", "cpu, cuda, cuda:1"]),
        ("--device cuda:99", ["--device cuda:99", "Leave --device out"]),
        ("--threads 99999", ["--threads 99999", "use at most"]),
        ("--images 10 --epochs 2", ["--images", "--epochs"]),
        ("--crop centre", ["'centre'", "'center'"]),
        ("--layout nwhc", ["'nwhc'", "'nhwc'"]),
        ("--image-size 4", ["4", "8"]),
        ("--image-size big", ["big", "64"]),
        ("--config none.yaml", ["none.yaml"]),
        ("--track wand", ["--track wand", "'wandb'"]),
    ],
)
def test_mistakes_leave_no_folder_behind(images: Path, tmp_path: Path, flags: str, words: list[str]) -> None:
    source = [] if "--data" in flags else ["--data", images]
    message = spatialvae("train", *source, *flags.split(), "--out", tmp_path / "out", "--json").complaint
    assert all(word in message for word in words), message
    assert not (tmp_path / "out").exists()


def test_a_run_that_diverged_is_told_and_its_folder_taken_again(images: Path, tmp_path: Path) -> None:
    line = ("train", "--data", images, "--images", 100, *SETTINGS, "--out", tmp_path / "run")
    failed = spatialvae(*line, "--learning-rate", "1e20")
    message = failed.complaint
    assert " steps of " in failed.err and ", on cpu in fp32\n" in failed.err
    assert "weights are of no use after step 1: validation bound nan" in message and "Nothing is stored yet" in message
    assert "the same command with --learning-rate 0.001 (or --clip 1000)" in message
    assert len(message.splitlines()) == 2
    assert "holds no model" in spatialvae("sample", tmp_path / "run", "--out", tmp_path / "a.png").complaint
    assert spatialvae(*line, "--learning-rate", "0.001", "--json").json["images"] == 100


def test_trackers_are_named(images: Path, tmp_path: Path) -> None:
    line = ("train", "--data", images, "--images", 40, *SETTINGS, "--out", tmp_path / "run", "--track", "none")
    assert spatialvae(*line).code == 0
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_fp16_needs_a_device(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    message = spatialvae("train", "--data", images, "--precision", "fp16", "--out", tmp_path / "out").complaint
    assert "bf16, fp32 or auto" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("latnt: naive", ["'latnt'", "'latent'"]),
        ("- 1", ["no settings"]),
        ("a: [", ["cannot be read as settings"]),
        ("beta: much", ["--beta", "much"]),
        ("!!python/object/apply:os.system ['true']", ["cannot be read as settings"]),
    ],
)
def test_settings_that_are_none(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "settings.yaml").write_text(text)
    message = spatialvae("train", "--config", tmp_path / "settings.yaml", "--out", tmp_path / "out").complaint
    assert all(word in message for word in words), message
    assert "settings.yaml" in message


def test_settings_of_a_run_of_before_group_norm_are_those_of_then(images: Path, tmp_path: Path) -> None:
    small = ("--data", images, "--images", 50, "--batch-size", 50, "--latent", "naive", "--maps", 2, "--map-size", 4)
    network = "residual:width=8,depth=1"
    old = tmp_path / "old"
    assert spatialvae("train", *small, "--network", f"{network},norm=none", "--out", old).code == 0
    stored = yaml.safe_load((old / "config.yaml").read_text())
    (old / "config.yaml").write_text(yaml.safe_dump({**stored, "network": network}))
    again = spatialvae("train", "--config", old / "config.yaml", "--out", tmp_path / "again")
    assert again.code == 0
    assert same(load_file(old / "model.safetensors"), load_file(tmp_path / "again" / "model.safetensors"))
    typed = tmp_path / "mine.yaml"
    typed.write_text((old / "config.yaml").read_text())
    assert spatialvae("train", "--config", typed, "--out", tmp_path / "new").code == 0
    assert "norm=group" in load(tmp_path / "new").config.network
