"""The codes of a split's images, drawn anew whenever they are asked for: what priors are fitted to."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.data import ImageData
from spatialvae.data.batches import to_device
from spatialvae.data.subset import subset
from spatialvae.encoder_outputs import Encoded, encoder_outputs
from spatialvae.errors import UserError
from spatialvae.model import SpatialVAE
from spatialvae.priors import Labels
from spatialvae.seeding import seeded

__all__ = ["LIMIT", "PosteriorCodes"]

BATCH = 500
LIMIT = 50_000
HELD_OUT = 2_000


class PosteriorCodes:
    """Draws from q(z|x) of a run's training images, and one of each of 2,000 validation images.

    Of more than `limit` training images and of more validation images it is the `subset` of the seed: see `provenance`.
    An image goes through the encoder once. What it puts out, the parameters of q(z|x), is kept in a file that is mapped
    into memory, so that codes larger than the memory can be streamed; a draw is then nearly free, and every pass sees
    new ones. Use it in a `with` block.

    Args:
        folder: where the file stays, for the next prior of the same weights and images; None: it is deleted on leaving
            the block.
        flip: each code is that of the image or of the mirrored one, at random.

    Raises:
        UserError: parameters that are not finite, or so large that their squares are not.
    """

    def __init__(
        self,
        model: SpatialVAE,
        data: ImageData,
        *,
        limit: int = LIMIT,
        seed: int = 0,
        folder: Path | None = None,
        flip: bool = False,
        progress: bool = False,
    ) -> None:
        split, others = data.split("train"), data.split("validation")
        others = others if len(others) else split
        self.event_shape = model.latent.event_shape
        self._head, self._device = model.posterior, model.device
        rows, held_out = subset(len(split), limit, seed=seed), subset(len(others), HELD_OUT, seed=seed)
        self.provenance = {"images": len(rows), "of": len(split), "seed": seed}
        if flip:
            self.provenance["flip"] = 1
        parts = {"train": Encoded(split, rows), "held_out": Encoded(others, held_out)}
        if flip:
            parts["mirrored"] = Encoded(split, rows, mirrored=True)
        basis = {"data": data.fingerprint, **{key: str(value) for key, value in self.provenance.items()}}
        name = hashlib.sha256(repr(basis).encode()).hexdigest()[:12]
        self._temporary = tempfile.TemporaryDirectory(prefix="spatialvae-codes-") if folder is None else None
        where = Path(self._temporary.name) if folder is None else folder  # pyright: ignore[reportOptionalMemberAccess]
        try:
            outputs = encoder_outputs(where / f"{name}.safetensors", model, parts, basis, progress=progress)
        except UserError:
            self._leave()
            raise
        self._outputs, self._mirrored = outputs["train"], outputs.get("mirrored")
        with seeded(seed), torch.no_grad():
            self.held_out = torch.cat([self._posterior(part).sample() for part in outputs["held_out"].split(BATCH)])
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
        del self._outputs, self._mirrored  # the mapping, before its file
        self._leave()

    @torch.no_grad()
    def batch(self, indices: np.ndarray) -> tuple[Tensor, Tensor | None]:
        """A fresh draw for each of the images at `indices`, from torch's global generator, and their labels."""
        chosen = torch.from_numpy(indices)
        outputs = self._outputs[chosen]
        if self._mirrored is not None:
            outputs = torch.where(torch.rand(len(chosen), 1) < 0.5, outputs, self._mirrored[chosen])
        codes = self._posterior(outputs).sample()
        return codes, None if self._labels is None else self._labels[chosen].to(self._device)

    @torch.no_grad()
    def draws(self, *, limit: int | None = None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """A fresh draw for every image (or for a subset of `limit`) in order, in batches, with their labels.

        With `flip` the mirrored images follow.
        """
        chosen = torch.from_numpy(subset(len(self), limit))
        for outputs in self._sets:
            for rows in chosen.split(BATCH):
                labels = None if self._labels is None else self._labels[rows].to(self._device)
                yield self._posterior(outputs[rows]).sample(), labels

    @torch.no_grad()
    def means(self) -> Iterator[Tensor]:
        """E[z|x] of every image in order, in batches, as in `draws`."""
        for outputs in self._sets:
            for part in outputs.split(BATCH):
                yield self._posterior(part).mean

    @property
    def _sets(self) -> list[Tensor]:
        return [self._outputs] if self._mirrored is None else [self._outputs, self._mirrored]

    def _posterior(self, outputs: Tensor) -> Distribution:
        return self._head.distribution(to_device(outputs.clone(), self._device))

    def _leave(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()
