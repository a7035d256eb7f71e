"""Every script of `examples/` runs by itself, and prints what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PRINTS = {
    "latents_as_arrays": r"codes: \(\d+, 72\) float32.*accuracy on test codes: 0\.\d",
    "matrix_normal_alone": r"loss after 1 epochs: -?\d+\.\d nats",
    "matrix_normal_in_pyro": r"error of the mean: \d+\.\d",
    "own_latent": r"80 encoder outputs; .* 144\nloaded: OneScale\(maps=8, height=3, width=3, scale=0\.5\)",
    "own_likelihood": r"FinishedRun.*own-likelihood.*bound",
    "own_loop": r"epoch 0: test bound -?\d+\.\d nats.*samples: \(16, 1, 8, 8\)",
    "own_network": r"FinishedRun.*own-network.*samples: \(16, 1, 8, 8\)",
}


def test_every_example_is_listed() -> None:
    assert {path.stem for path in EXAMPLES} == PRINTS.keys()
    listed = (ROOT / "examples" / "README.md").read_text()
    for path in EXAMPLES:
        assert f"({path.name})" in listed
        assert len(path.read_text().splitlines()) <= 60, path.name


@pytest.mark.parametrize("name", sorted(PRINTS))
def test_example(name: str, tmp_path: Path) -> None:
    if name == "matrix_normal_in_pyro" and find_spec("pyro") is None:
        pytest.skip("Pyro is not installed")
    environment = {**os.environ, "EPOCHS": "1", "SPATIALVAE_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error::UserWarning", str(ROOT / "examples" / f"{name}.py")]
    done = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(PRINTS[name], done.stdout, re.DOTALL), done.stdout
