"""The scripts that are meant for a GPU run small on a CPU, and refuse what would give wrong numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = ("--data", "digits", "--network", "residual:width=8,depth=1", "--maps", "4", "--map-size", "2")


def script(name: str, *flags: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "benchmarks" / name), *map(str, flags)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_speed_run_measures_on_the_way_and_refuses_its_folder_afterwards(tmp_path: Path) -> None:
    flags = (
        *SMALL,
        "--images",
        150,
        "--batch-size",
        50,
        "--out",
        tmp_path / "out",
        "--json",
        tmp_path / "new" / "a.json",
    )
    done = script("speedrun.py", *flags)
    assert done.returncode == 0, done.stderr
    stored = (tmp_path / "new" / "a.json").read_text()
    result = json.loads(stored)
    assert result["images"] == 150 and len(result["on_the_way"]) == 3 and result["test"]["bits_per_dim"] > 0
    seconds = [line["seconds"] for line in result["on_the_way"]]
    assert seconds == sorted(seconds) and (tmp_path / "out" / "samples.png").is_file()
    again = script("speedrun.py", *flags)
    assert again.returncode == 1 and "holds a speed run" in again.stderr and "Traceback" not in again.stderr
    assert (tmp_path / "new" / "a.json").read_text() == stored


@pytest.mark.slow
def test_the_check_of_a_gpu_passes_on_a_cpu(tmp_path: Path) -> None:
    done = script("gpu_check.py", "--device", "cpu", "--steps", 2, "--jobs", 2, "--json", tmp_path / "a.json")
    assert done.returncode == 0, done.stdout
    checks = json.loads((tmp_path / "a.json").read_text())["checks"]
    assert all(check["bit-equal"] for title, check in checks.items() if title.endswith("two runs of one seed"))
