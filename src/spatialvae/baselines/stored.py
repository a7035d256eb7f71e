"""Tensors that take long to compute, kept beside the prepared images and known by all that they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from spatialvae._version import __version__
from spatialvae.data.cache import default_cache, unwritable
from spatialvae.files import replacing

__all__ = ["Basis", "read_stored", "stored"]

FORMAT = 1  # raise it whenever the same basis gives other numbers
FOLDER = "baselines"

Basis = Mapping[str, object]
"""All that an entry depends on, by name, such as the fingerprint of the images."""
Shapes = Mapping[str, tuple[int, ...]]


def stored(basis: Basis, shapes: Shapes, make: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The entry of this basis, made and kept where it is not there or is damaged.

    Args:
        basis: what it depends on; this package's version and the format of the file are added.
        shapes: of its tensors, all float64.
        make: makes them.

    Raises:
        UserError: the cache cannot be written; nothing was made then.
    """
    entry = read_stored(basis, shapes)
    if entry is not None:
        return entry
    path = _path(basis)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)  # first: minutes of work must not end at a folder's rights
        entry = {name: tensor.contiguous() for name, tensor in make().items()}
        words = {"basis": _text(basis), "sha256": _digest(entry)}
        with replacing(path) as temporary:
            save_file(entry, temporary, metadata=words)
    except (OSError, SafetensorError) as error:
        raise unwritable(path.parent, error) from error
    return entry


def read_stored(basis: Basis, shapes: Shapes) -> dict[str, Tensor] | None:
    """The entry of this basis; None where it is not there, or a number of it is not what was written."""
    try:
        with safe_open(_path(basis), "pt") as file:
            words = file.metadata() or {}
            entry = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return None
    fits = {name: tuple(tensor.shape) for name, tensor in entry.items()} == dict(shapes)
    whole = fits and all(tensor.dtype == torch.float64 for tensor in entry.values())
    return entry if whole and words == {"basis": _text(basis), "sha256": _digest(entry)} else None


def _text(basis: Basis) -> str:
    return json.dumps({"format": FORMAT, "version": __version__, **basis}, sort_keys=True)


def _path(basis: Basis) -> Path:
    return default_cache() / FOLDER / f"{hashlib.sha256(_text(basis).encode()).hexdigest()[:32]}.safetensors"


def _digest(entry: Mapping[str, Tensor]) -> str:
    """The sha256 of all numbers by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(entry.items()):
        digest.update(f"{name} {list(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().data)
    return digest.hexdigest()
