"""Which number format to train in: bf16 only where the hardware multiplies it faster."""

from __future__ import annotations

import torch

from spatialvae.errors import UserError

__all__ = ["resolve_precision"]


def resolve_precision(wanted: str) -> str:
    """``fp32``, ``bf16`` or ``fp16`` for what the user asked for; ``auto`` looks at the hardware.

    Auto is bf16 on CUDA devices that have it and on CPUs with AMX tiles; other CPUs emulate bf16 and are several
    times slower with it, so they get fp32.

    >>> resolve_precision("fp32")
    'fp32'
    """
    cuda = torch.cuda.is_available()
    if wanted == "fp16" and not cuda:
        raise UserError("--precision fp16 needs a CUDA device, and there is none here. Use bf16, fp32 or auto.")
    if wanted != "auto":
        return wanted
    if cuda:
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if _cpu_has_amx() else "fp32"


def _cpu_has_amx() -> bool:
    """Whether the CPU has matrix tiles for bf16; torch's own probe where its build has one."""
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(probe and probe())
