"""Features of the reference images, computed once and kept beside the prepared images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from spatialvae.data import ImageData, ImageSplit
from spatialvae.data.batches import in_order
from spatialvae.data.cache import default_cache, unwritable
from spatialvae.data.subset import subset
from spatialvae.errors import UserError
from spatialvae.files import replacing
from spatialvae.metrics.samples.features import RESIZING, FeatureNetwork
from spatialvae.progress import Progress

__all__ = ["reference_features"]

FORMAT = 1  # raise it whenever the same images and network give other numbers
BATCH = 500


def reference_features(
    network: FeatureNetwork, data: ImageData, split: str, count: int, *, seed: int = 0, progress: bool = False
) -> Tensor:
    """The features of a split's `subset` of `count` images and `seed`, float32 [n F]; n is less where the split is.

    Kept in the folder `features` of the cache, by the sha256 of data fingerprint, split, subset, network and the rule
    of resizing, so that the network runs once. A damaged file is made again.

    >>> import numpy as np
    >>> black = ImageSplit(np.zeros((4, 1, 8, 8), np.uint8), None)
    >>> data = ImageData("black", "black", "0a", 8, 8, 1, {"test": black}, [0.0], 0, None)
    >>> network = FeatureNetwork("mean-colour", "0a", False, lambda images: images.float().mean((2, 3)))
    >>> reference_features(network, data, "test", 3).shape
    torch.Size([3, 3])

    Raises:
        UserError: no such split, no images, a cache that cannot be written, or whatever `FeatureNetwork.extract` says.
    """
    images = data.split(split)
    n = min(count, len(images))
    if n < 1:
        raise UserError(f"{n} images of the split '{split}': features need at least one.")
    basis = {
        "format": str(FORMAT),
        "data": data.fingerprint,
        "split": split,
        "count": str(n),
        "drawn": f"with seed {seed}" if n < len(images) else "all",
        "network": network.sha256,
        "resizing": RESIZING,  # the rule: which size it leads to follows from the network and the data's own size
    }
    path = default_cache() / "features" / f"{_key(basis)}.safetensors"
    features = _read(path, n)
    if features is None:
        _make_folder(path.parent)
        features = network.extract(_shown(images, subset(len(images), n, seed=seed), network.name, progress))
        _write(path, features, basis)
    return features


def _key(basis: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()


def _read(path: Path, n: int) -> Tensor | None:
    """Whole features of n images, or None."""
    try:
        features = load_file(path)["features"]
    except (OSError, SafetensorError, KeyError):
        return None
    whole = features.ndim == 2 and len(features) == n and features.dtype == torch.float32
    return features if whole and features.isfinite().all() else None


def _make_folder(folder: Path) -> None:
    # Before the network runs: minutes of work must not end in a folder that cannot be written.
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None


def _write(path: Path, features: Tensor, basis: dict[str, str]) -> None:
    try:
        with replacing(path) as temporary:
            save_file({"features": features.contiguous()}, temporary, metadata=basis)
    except (OSError, SafetensorError) as error:
        raise unwritable(path.parent, error) from None


def _shown(images: ImageSplit, rows: np.ndarray, name: str, progress: bool) -> Iterator[Tensor]:
    """The batches, and a bar on stderr that follows them."""
    with Progress(f"features, {name}", len(rows), shown=progress) as work:
        for batch in in_order(images, BATCH, rows):
            yield batch
            work.advance(len(batch))
