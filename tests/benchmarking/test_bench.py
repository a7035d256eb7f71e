"""A whole benchmark of a second: every number is there and finite, and what is timed is what it says."""

from __future__ import annotations

import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from spatialvae.benchmarking import bench, random_images
from spatialvae.benchmarking.contenders import (
    RealLoop,
    as_torch_comes,
    bare_loop,
    eager_loop,
    resident_batches,
    sample_eagerly,
)
from spatialvae.benchmarking.peak import probes
from spatialvae.config import BenchConfig, ModelConfig
from spatialvae.errors import UserError
from spatialvae.model import SpatialVAE
from spatialvae.training import read_journal
from tests.cli.program import spatialvae
from tests.training.tiny import settings, tiny_data

PROMISED = {
    "training_images_per_second",
    "sampling_images_per_second",
    "ratio_to_bare_loop",
    "ratio_to_eager_fp32",
    "sampling_ratio_to_eager_fp32",
    "latent_share",
    "peak_share",
}
MODEL = ModelConfig(maps=2, image_size=(8, 8), channels=1)


@pytest.fixture(autouse=True)
def small_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["spatialvae.benchmarking.bench"], "probes", partial(probes, scale=1))


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for part in value.values() for number in numbers(part)]
    return [value] if isinstance(value, int | float) else []


def test_every_number_is_there_and_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    messages: list[str] = []
    benchmark = bench(settings(), tiny_data(), BenchConfig(rounds=2, steps=2, generated=5), say=messages.append)
    assert set(benchmark) > PROMISED | {"spreads", "stages", "operations", "machine", "settings", "memory_bytes"}
    assert all(math.isfinite(number) for number in numbers(benchmark))
    assert all(benchmark[name] > 0 for name in PROMISED)
    assert benchmark["settings"]["steps"] == 2
    assert benchmark["settings"]["model"]["maps"] == 2
    assert "round 2 of 2" in messages


def test_the_real_loop_is_a_run_with_all_that_a_run_has(tmp_path: Path) -> None:
    real = RealLoop(settings(checkpoint_every=None, images=600), tiny_data(), tmp_path / "run", steps=2, slices=2)
    assert (real.images, real.checkpoint_every) == (600, 60)
    turns: list[tuple[str, list[str]]] = []

    def turn(part: str) -> None:
        turns.append((part, sorted(path.name for path in (tmp_path / "run").glob("checkpoints/*"))))

    real.run(turn)
    first, second = f"{30:012d}", f"{60:012d}"
    assert turns == [("real", []), ("checkpointed", [first]), ("real", [first]), ("checkpointed", [first, second])]
    lines = read_journal(tmp_path / "run" / "metrics.jsonl")
    assert [line["images"] for line in lines if "validation_bound" in line] == [30, 60]
    assert not (tmp_path / "run" / "prior-gaussian.safetensors").exists()  # the run is left, not finished


def test_what_happens_between_slices_is_not_timed(tmp_path: Path) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 1
        return now[0]

    def between(index: int) -> None:
        now[0] += 1000

    real = RealLoop(settings(), tiny_data(), tmp_path / "run", steps=1, slices=2)
    assert real.timed(between, clock) == {"real": [1.0, 1.0], "checkpointed": [1.0, 1.0]}


def test_a_short_run_is_made_long_enough(tmp_path: Path) -> None:
    real = RealLoop(settings(images=10), tiny_data(), tmp_path, steps=3, slices=4)
    assert real.images == 10
    assert real.length >= 4 * (3 + 1) * 10


def test_the_loops_train_and_the_bare_one_is_as_ours() -> None:
    batches = resident_batches(MODEL, 4, torch.device("cpu"))
    assert {batch.shape for batch in batches} == {(4, 1, 8, 8)}
    assert not torch.equal(batches[0], batches[1])
    bare = bare_loop(settings().optimisation, MODEL, batches, "fp32", 1, compiled=False)
    eager = eager_loop(settings().optimisation, MODEL, batches, 1)
    assert bare._optimizer.defaults["fused"] is True
    assert not eager._optimizer.defaults["fused"]
    for loop in (bare, eager):
        before = [parameter.clone() for parameter in loop._forward.parameters()]
        loop.steps()
        pairs = zip(before, loop._forward.parameters(), strict=True)
        assert not any(torch.equal(one, two) for one, two in pairs)


def test_eager_sampling() -> None:
    model = SpatialVAE.from_config(MODEL).eval()
    sizes: list[int] = []
    model.decoder.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    pictures = sample_eagerly(model, 250)
    assert (pictures.shape, pictures.dtype, sizes) == ((250, 1, 8, 8), torch.uint8, [100, 100, 50])


def test_torchs_own_settings_are_given_back() -> None:
    torch.set_float32_matmul_precision("high")
    try:
        with as_torch_comes():
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="one process"):
        bench(settings(), tiny_data())


def test_noise_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["spatialvae.benchmarking.random_images"], "BYTES", 1000)
    assert len(random_images((8, 8), 1).split("train")) == 1000 // 64
    assert len(random_images((8, 8), 3, least=20).split("validation")) == 20


SMALL = ("--image-size", 8, "--maps", 2, "--precision", "fp32", "--rounds", 1, "--steps", 1, "--generated", 4)


def test_the_command() -> None:
    done = spatialvae("bench", *SMALL, "--batch-size", 4, "--latent", "naive", "--json")
    assert set(done.json) > PROMISED
    assert done.json["settings"]["data"] == "random"
    assert done.json["settings"]["training_images"] == 20 * 162_770
    assert "round 1 of 1" in done.err


def test_the_command_in_words(tiny_images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = bench(settings(), tiny_data(), BenchConfig(rounds=1, steps=1, generated=2))
    monkeypatch.setattr("spatialvae.benchmarking.bench", lambda *_, **__: benchmark)
    done = spatialvae("bench", "--data", tiny_images, *SMALL[2:])
    assert done.code == 0, done.err
    for word in ("images/s", "over a bare loop", "share of the peak", "backward_latent", "MFLOP", "GiB"):
        assert word in done.out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--rounds", 0), "--rounds 0"),
        (("--image-size", 4), "4"),
        (("--latent", "low_rank"), "low-rank"),
        (("--precision", "int8"), "--precision int8"),
        (("--data", "nowhere/at/all"), "nowhere/at/all"),
    ],
)
def test_mistakes_are_one_line(words: tuple[object, ...], named: str) -> None:
    complaint = spatialvae("bench", *words).complaint
    assert named in complaint
    assert len(complaint.splitlines()) <= 2
