"""Where a command computes: --device and --threads, for this process only, and a run's model there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from spatialvae.errors import UserError

if TYPE_CHECKING:
    import torch

    from spatialvae.model import SpatialVAE

__all__ = ["load_model", "use_machine"]


def use_machine(device: str | None, threads: int | None) -> torch.device:
    """The device that the user names, the fastest without a name; torch computes with so many threads from here on.

    Raises:
        UserError: a device that is not there, or more threads than the machine has cores.
    """
    import torch

    from spatialvae.devices import resolve_device

    cores = os.cpu_count() or 1
    if threads is not None and threads > cores:
        raise UserError(f"--threads {threads} is more than this machine has: use at most {cores}.")
    chosen = resolve_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    return chosen


def load_model(run: Path, device: str | None, threads: int | None) -> SpatialVAE:
    """The model of a run folder, on the device that the user names."""
    from spatialvae.store import load

    return load(run, use_machine(device, threads))
