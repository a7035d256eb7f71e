"""Two processes over gloo: they share the batch, and step as one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from spatialvae.store import load
from spatialvae.training import read_journal

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("two_ranks.py")

pytestmark = pytest.mark.slow


def run(task: str, folder: Path) -> None:
    """Start both ranks, and wait for them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    children = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), task, str(folder)],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        for child in children:
            _, errors = child.communicate(timeout=120)
            assert child.returncode == 0, errors[-3000:]
    finally:
        for child in children:
            child.kill()


@pytest.mark.parametrize("task", ["gradients", "perceptual", "discriminator"])
def test_the_gradient_is_the_mean_of_the_ranks(tmp_path: Path, task: str) -> None:
    # A loss that goes around the wrapper leaves each rank with its own gradient.
    run(task, tmp_path)
    alone, together = (
        [load_file(tmp_path / f"{kind}-{rank}.safetensors") for rank in (0, 1)] for kind in ("alone", "together")
    )
    different = 0
    for name in alone[0]:
        mean = (alone[0][name] + alone[1][name]) / 2
        different += int(not mean.equal(alone[0][name]))
        for rank in (0, 1):
            assert_close(together[rank][name], mean, rtol=1e-4, atol=1e-4 * mean.abs().max().item() + 1e-7)
    assert different > len(alone[0]) / 2  # the ranks saw different images


@pytest.mark.parametrize(("task", "shape"), [("train", (1, 1, 8, 8)), ("adversarial", (1, 3, 16, 16))])
def test_a_run_of_two_ranks_leaves_one_of_everything(tmp_path: Path, task: str, shape: tuple[int, ...]) -> None:
    run(task, tmp_path)
    lines = [(line["images"], "loss" in line) for line in read_journal(tmp_path / "run" / "metrics.jsonl")]
    assert lines == [(20, False), (40, False), (60, True), (60, False)]
    assert load(tmp_path / "run").sample(1).shape == shape
    assert len(list((tmp_path / "run" / "checkpoints").glob("[0-9]*"))) == 2
