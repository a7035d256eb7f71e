"""The machine that numbers were measured on, in words."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from spatialvae.devices import fastest_device

__all__ = ["describe_machine"]


def describe_machine(precision: str, device: torch.device | None = None) -> dict[str, str | int]:
    """Processor, cores, torch's threads, device (the fastest by default), versions and the number format of training.

    >>> sorted(describe_machine("fp32"))
    ['cores', 'device', 'precision', 'processor', 'python', 'threads', 'torch']
    """
    device = device or fastest_device()
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "precision": precision,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
