"""The codes of a split's images, drawn anew whenever they are asked for: what priors are fitted to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from spatialvae.data import ImageData, ImageSplit
from spatialvae.data.batches import in_order, to_device
from spatialvae.data.pixels import to_float
from spatialvae.data.subset import subset
from spatialvae.errors import UserError
from spatialvae.model import SpatialVAE
from spatialvae.priors import Labels
from spatialvae.progress import Progress
from spatialvae.runtime.evaluating import evaluating
from spatialvae.runtime.precision import fast_autocast
from spatialvae.seeding import seeded

__all__ = ["LIMIT", "PosteriorCodes"]

BATCH = 500
LIMIT = 50_000
HELD_OUT = 2_000


class PosteriorCodes:
    """Draws from q(z|x) of a run's training images, and one of each of 2,000 validation images.

    Of more than `limit` training images and of more validation images it is the `subset` of the seed: see `provenance`.
    An image goes through the encoder once. What it puts out, the parameters of q(z|x), is kept in a temporary file that
    is mapped into memory, so that codes larger than the memory can be streamed; a draw is then nearly free, and every
    pass sees new ones. Use it in a `with` block: leaving it deletes the file.

    Raises:
        UserError: parameters that are not finite, or so large that their squares are not.
    """

    def __init__(
        self, model: SpatialVAE, data: ImageData, *, limit: int = LIMIT, seed: int = 0, progress: bool = False
    ) -> None:
        split, others = data.split("train"), data.split("validation")
        others = others if len(others) else split
        self.event_shape = model.latent.event_shape
        self._head, self._device = model.posterior, model.device
        self._folder = tempfile.TemporaryDirectory(prefix="spatialvae-codes-")
        rows, held_out = subset(len(split), limit, seed=seed), subset(len(others), HELD_OUT, seed=seed)
        self.provenance = {"images": len(rows), "of": len(split), "seed": seed}
        with torch.inference_mode(), evaluating(model):
            with Progress("encoding the training images", len(rows), shown=progress) as work:
                self._outputs = self._encoded(model, split, rows, work)
            with seeded(seed):
                posteriors = (self._head.distribution(part) for part in _outputs(model, others, held_out))
                self.held_out = torch.cat([posterior.sample() for posterior in posteriors]).clone()
        self.held_out_labels = None
        if others.labels is not None:
            self.held_out_labels = torch.from_numpy(others.labels[held_out])
        labels = None if split.labels is None else torch.from_numpy(split.labels[rows])
        self._labels = labels
        self.labels = Labels()
        if labels is not None and (labels >= 0).any():
            names = tuple(data.label_names or ())
            counts = torch.bincount(labels[labels >= 0], minlength=len(names))
            self.labels = Labels(names, tuple(counts.tolist()))

    def __len__(self) -> int:
        return len(self._outputs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        del self._outputs  # the mapping, before its file
        self._folder.cleanup()

    @torch.no_grad()
    def batch(self, indices: np.ndarray) -> tuple[Tensor, Tensor | None]:
        """A fresh draw for each of the images at `indices`, from torch's global generator, and their labels."""
        outputs = torch.from_numpy(self._outputs[indices])
        codes = self._head.distribution(to_device(outputs, self._device)).sample()
        return codes, None if self._labels is None else self._labels[torch.from_numpy(indices)].to(self._device)

    def draws(self, *, limit: int | None = None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """A fresh draw for every image (or for a subset of `limit`) in order, in batches, with their labels."""
        rows = subset(len(self), limit)
        for start in range(0, len(rows), BATCH):
            yield self.batch(rows[start : start + BATCH])

    @torch.no_grad()
    def means(self) -> Iterator[Tensor]:
        """E[z|x] of every image in order, in batches."""
        for start in range(0, len(self), BATCH):
            outputs = torch.from_numpy(self._outputs[start : start + BATCH].copy())
            yield self._head.distribution(to_device(outputs, self._device)).mean

    def _encoded(self, model: SpatialVAE, split: ImageSplit, rows: np.ndarray, work: Progress) -> np.ndarray:
        path = Path(self._folder.name) / "outputs.npy"
        shape = (len(rows), model.latent.encoder_outputs)
        mapped = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        done = 0
        for part in _outputs(model, split, rows):
            if not part.square().sum().isfinite():
                self._folder.cleanup()
                raise UserError(
                    "The codes of this model are not finite, so that no prior can be fitted: its training diverged.\n"
                    "Train it again into a new folder, with a smaller `learning_rate`."
                )
            mapped[done : done + len(part)] = part.cpu().numpy()
            done += len(part)
            work.advance(len(part))
        return mapped


def _outputs(model: SpatialVAE, split: ImageSplit, rows: np.ndarray) -> Iterator[Tensor]:
    """The parameters of q(z|x) of the images at `rows`, [B, encoder_outputs] in float32."""
    for images in in_order(split, BATCH, rows):
        with fast_autocast(model.device):
            yield model.posterior.projection(model.encoder(to_float(to_device(images, model.device)))).float()
