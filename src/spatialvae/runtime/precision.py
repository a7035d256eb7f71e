"""Which number format to compute in: bf16 only where the hardware multiplies it faster."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from spatialvae.devices import fastest_device
from spatialvae.errors import UserError

__all__ = ["fast_autocast", "fast_dtype", "resolve_precision", "unrounded"]


def resolve_precision(wanted: str, device: torch.device | None = None) -> str:
    """``fp32``, ``bf16`` or ``fp16`` for what the user asked for; ``auto`` looks at `device`, by default the fastest.

    Auto is bf16 on CUDA devices that have it and on CPUs with AMX tiles; other CPUs emulate bf16 and are several
    times slower with it, so they get fp32.

    >>> resolve_precision("fp32")
    'fp32'
    """
    device = device or fastest_device()
    if wanted == "fp16" and device.type != "cuda":
        raise UserError(f"`precision` fp16 needs a CUDA device, and this is {device.type}. Use bf16, fp32 or auto.")
    if wanted != "auto":
        return wanted
    return "bf16" if fast_dtype(device) == torch.bfloat16 else "fp32"


def fast_dtype(device: torch.device) -> torch.dtype:
    """The format that networks run fastest in on `device`: bfloat16 or float32."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and _cpu_has_amx()
    return torch.bfloat16 if fast else torch.float32


def fast_autocast(device: torch.device) -> AbstractContextManager:
    """Networks compute in the fast format inside; for results that a rounding of 2^-9 does not change."""
    dtype = fast_dtype(device)
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)


def unrounded(values: Tensor) -> Tensor:
    """float32 in place of a shorter format: networks may compute in 8 or 11 bits, densities may not.

    >>> unrounded(torch.ones(1, dtype=torch.bfloat16)).dtype, unrounded(torch.ones(1).double()).dtype
    (torch.float32, torch.float64)
    """
    return values.float() if values.dtype.itemsize < torch.float32.itemsize else values


def _cpu_has_amx() -> bool:
    """Whether the CPU has matrix tiles for bf16; torch's own probe where its build has one."""
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(probe and probe())
