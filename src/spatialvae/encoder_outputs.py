"""What the encoder puts out for images, in a file: a second stage reads it, and runs the encoder no more."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from spatialvae.data import ImageSplit
from spatialvae.data.batches import in_order, to_device
from spatialvae.data.pixels import to_float
from spatialvae.errors import UserError
from spatialvae.files import replacing
from spatialvae.model import SpatialVAE
from spatialvae.progress import Progress
from spatialvae.runtime.evaluating import evaluating
from spatialvae.runtime.precision import fast_autocast, fast_dtype

__all__ = ["Encoded", "encoder_outputs", "weights_digest"]

BATCH = 500
ALIGNMENT = 8
ABANDONED = 24 * 60 * 60
"""Seconds after which nobody writes a half of a file any more."""


class Encoded(NamedTuple):
    """Some images of a split, as they are or mirrored left to right."""

    split: ImageSplit
    rows: np.ndarray
    mirrored: bool = False


def encoder_outputs(
    path: Path, model: SpatialVAE, parts: Mapping[str, Encoded], basis: Mapping[str, str], *, progress: bool = False
) -> dict[str, Tensor]:
    """The parameters of q(z|x) of the images of each part, float32 [n, encoder_outputs], mapped into memory.

    They come from the safetensors file at `path` where it was made of the same `basis` by the same weights; otherwise
    it is made anew, in bounded memory. Files beside it that other weights made are removed.

    Args:
        basis: whatever else the images depend on, in words, such as the fingerprint of the data.

    Raises:
        UserError: parameters that are not finite, or so large that their squares are not.
    """
    known = {**basis, "weights": weights_digest(model), "number_format": str(fast_dtype(model.device))}
    known |= {"parts": json.dumps({name: part.mirrored for name, part in parts.items()})}
    if (kept := _read(path, known)) is not None:
        return kept
    for other in path.parent.glob("*.safetensors"):
        metadata = _metadata(other)
        if "parts" in metadata and metadata.get("weights") != known["weights"]:
            other.unlink(missing_ok=True)
    for broken in path.parent.glob(f".{path.name}.*.tmp"):
        if time.time() - broken.stat().st_mtime > ABANDONED:  # of a process that was killed, not of one beside this
            broken.unlink(missing_ok=True)
    width = model.latent.encoder_outputs
    header, ends = _header({name: (len(part.rows), width) for name, part in parts.items()}, known)
    total = sum(len(part.rows) for part in parts.values())
    with replacing(path) as temporary, Progress("encoding the training images", total, shown=progress) as work:
        with temporary.open("wb") as file:
            file.write(header)
            file.truncate(len(header) + 4 * ends[-1] * width)
        whole = np.memmap(temporary, np.float32, "r+", len(header), (ends[-1], width))
        with torch.inference_mode(), evaluating(model):
            for name, end in zip(parts, ends[1:], strict=True):
                done = end - len(parts[name].rows)
                for outputs in _outputs(model, parts[name]):
                    whole[done : done + len(outputs)] = outputs.cpu().numpy()
                    done += len(outputs)
                    work.advance(len(outputs))
        whole.flush()
        del whole  # the mapping, before its file is renamed
    made = _read(path, known)
    assert made is not None
    return made


def weights_digest(model: SpatialVAE) -> str:
    """The sha256 of the model's numbers.

    >>> from spatialvae.latents import LowRank
    >>> model = SpatialVAE(latent=LowRank(maps=8, height=3, width=3), image_shape=(1, 8, 8))
    >>> weights_digest(model) == weights_digest(model.eval())
    True
    """
    digest = hashlib.sha256(str(model.config).encode())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path, known: dict[str, str]) -> dict[str, Tensor] | None:
    """The tensors of the file, where it is whole and made of what is known."""
    if _metadata(path) != known:
        return None
    try:
        return load_file(path)
    except (OSError, SafetensorError):
        return None


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError):
        return {}


def _header(shapes: dict[str, tuple[int, int]], metadata: dict[str, str]) -> tuple[bytes, list[int]]:
    """The start of a safetensors file of float32 matrices of one width, and the rows before each and after the last.

    safetensors writes from tensors in memory alone, and codes may not fit there.
    """
    ends, header = [0], {"__metadata__": metadata}
    for name, (count, width) in shapes.items():
        ends.append(ends[-1] + count)
        offsets = [4 * width * end for end in ends[-2:]]
        header[name] = {"dtype": "F32", "shape": [count, width], "data_offsets": offsets}  # pyright: ignore[reportArgumentType]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text, ends


def _outputs(model: SpatialVAE, part: Encoded) -> Iterator[Tensor]:
    for images in in_order(part.split, BATCH, part.rows):
        floats = to_float(to_device(images.flip(-1) if part.mirrored else images, model.device))
        with fast_autocast(model.device):
            outputs = model.posterior.projection(model.encoder(floats)).float()
        if not outputs.square().sum().isfinite():
            raise UserError(
                "The codes of this model are not finite, so that no prior can be fitted: its training diverged.\n"
                "Train it again into a new folder, with a smaller `learning_rate`."
            )
        yield outputs
