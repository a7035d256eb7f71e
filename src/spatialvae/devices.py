"""Where to compute: the devices of this machine by name, the fastest, and how much memory one took."""

from __future__ import annotations

import sys

import torch

from spatialvae.errors import UserError

__all__ = ["fastest_device", "peak_memory", "reset_peak_memory", "resolve_device", "synchronize"]


def fastest_device() -> torch.device:
    """The CUDA device where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def resolve_device(wanted: str | None = None) -> torch.device:
    """The device that a user names: ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; the fastest where nothing is named.

    Raises:
        UserError: no such name, or no such device in this machine.

    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if wanted is None:
        return fastest_device()
    kind, colon, index = wanted.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (colon and not (kind == "cuda" and index.isdecimal())):
        raise UserError(f"`device` {wanted} is not known. Choose from: cpu, cuda, cuda:1 and so on, mps.")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count <= int(index or 0):
            there = f"cuda:0 to cuda:{count - 1}" if count > 1 else "cuda" if count else "no CUDA device"
            raise UserError(f"`device` {wanted} is not in this machine, which has {there}. {_instead()}")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UserError(f"`device` mps is not in this machine. {_instead()}")
    return torch.device(wanted)


def _instead() -> str:
    return f"Leave `device` out to compute on {fastest_device().type}."


def synchronize(device: torch.device) -> None:
    """Wait for the work that `device` still has; a CPU has none."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def reset_peak_memory(device: torch.device) -> None:
    """Start anew on CUDA; a process's own peak cannot be taken back."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int:
    """The most bytes that were in use: of tensors on a CUDA device, else of the whole process.

    0 where the system does not tell.

    >>> peak_memory(torch.device("cpu")) >= 0
    True
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
