"""Freed memory that stays with the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spatialvae.runtime import allocator
from spatialvae.runtime.allocator import freed_memory_kept

ROOT = Path(__file__).resolve().parent.parent
GLIBC = sys.platform.startswith("linux") and allocator._mallopt() is not None


# In a process of its own: what other tests left free in the heap would serve the first blocks without a fault.
SCRIPT = """
import resource
import torch
from spatialvae.runtime.allocator import freed_memory_kept

def page_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(40, 2**18)  # 40 MiB, above every threshold of the default
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = page_faults()
with freed_memory_kept():
    for _ in range(5):  # aligned blocks need a little more room than the last one left
        page_faults()
    kept = page_faults()
print(given_back, kept)
"""


@pytest.mark.skipif(not GLIBC, reason="needs glibc's allocator")
def test_a_second_use_of_the_memory_faults_no_pages() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=environment)
    given_back, kept = map(int, done.stdout.split())
    assert given_back > 1000
    assert kept < given_back / 10


def test_nesting_restores_what_was_before() -> None:
    with freed_memory_kept():
        inside = allocator._kept[0]
        with freed_memory_kept(False):
            assert not allocator._kept[0]
        assert allocator._kept[0] is inside
    assert not allocator._kept[0]


def test_another_allocator_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "_mallopt", lambda: None)
    with freed_memory_kept():
        assert not allocator._kept[0]
