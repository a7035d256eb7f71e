"""Checkpoints: weights, optimiser moments and a little JSON, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from spatialvae.errors import UserError

__all__ = ["latest_checkpoint", "restore_checkpoint", "save_checkpoint"]

KEPT = 2


def save_checkpoint(
    folder: Path,
    seen: int,
    modules: dict[str, nn.Module],
    optimizers: dict[str, torch.optim.Optimizer],
    state: dict[str, Any],
) -> Path:
    """Write ``folder/<images seen>``: one safetensors file a module and an optimiser, and state.json.

    It is built beside its place and renamed into it, so that a checkpoint that exists is whole; the newest two stay.
    Random states are not stored: all noise is a function of (seed, images seen).
    """
    target = folder / f"{seen:012d}"
    if target.exists():
        return target
    temporary = folder / f".{seen:012d}.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name, module in modules.items():
        tensors = {key: value.detach().contiguous().cpu() for key, value in module.state_dict().items()}
        save_file(tensors, temporary / f"{name}.safetensors")
    for name, optimizer in optimizers.items():
        moments = optimizer.state_dict()["state"]
        flat = {
            f"{index}.{key}": value.contiguous().cpu() for index, slot in moments.items() for key, value in slot.items()
        }
        save_file(flat, temporary / f"{name}.safetensors")
    (temporary / "state.json").write_text(json.dumps({"images": seen, **state}, indent=2))
    os.replace(temporary, target)
    for old in _checkpoints(folder)[:-KEPT]:
        shutil.rmtree(old)
    return target


def latest_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest whole checkpoint and its state.json, or None."""
    checkpoints = _checkpoints(folder)
    return (checkpoints[-1], json.loads((checkpoints[-1] / "state.json").read_text())) if checkpoints else None


def restore_checkpoint(path: Path, modules: dict[str, nn.Module], optimizers: dict[str, torch.optim.Optimizer]) -> None:
    """Put weights and optimiser moments back, bit for bit.

    Raises:
        UserError: a file of the checkpoint is missing or damaged.
    """
    try:
        for name, module in modules.items():
            module.load_state_dict(load_file(path / f"{name}.safetensors"))
        for name, optimizer in optimizers.items():
            _restore(path / f"{name}.safetensors", optimizer)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"The checkpoint {path} is damaged ({error}).\nDelete that folder: the same command then goes on from the "
            "checkpoint before it."
        ) from None


def _restore(path: Path, optimizer: torch.optim.Optimizer) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    with safe_open(path, framework="pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118  (safe_open is no mapping)
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = tensors.get_tensor(name)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, slot in optimizer.state.items():
        for key, value in slot.items():
            if value.shape == parameter.shape and value.stride() != parameter.stride():
                # Files hold rows in order; a fused step wants the memory layout of the weights.
                slot[key] = torch.empty_like(parameter).copy_(value)


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("[0-9]*") if (path / "state.json").is_file())
