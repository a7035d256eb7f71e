"""A run folder as an object: its model, journal, learning curves, pictures and data."""

from __future__ import annotations

import base64
import html
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from spatialvae.data import ImageData
from spatialvae.data.record import DataRecord
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS
from spatialvae.model import SpatialVAE
from spatialvae.store import load
from spatialvae.training.journal import numbers_of, read_journal
from spatialvae.training.run import Run

__all__ = ["Curve", "FinishedRun", "JournalLine", "open_run"]

WIDE, HIGH, EDGE = 320, 120, 6
"""Pixels of the curve that a notebook shows."""


@dataclass(frozen=True)
class JournalLine:
    """One line of the journal: its numbers after so many images, by name; nats per image."""

    images: int
    values: dict[str, float]


@dataclass(frozen=True)
class Curve:
    """One number of the journal over the course of a run."""

    name: str
    images: list[int]
    """How many images the model had seen."""
    values: list[float]


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run folder, and the model that was trained into it.

    `train` returns it; `open_run` gives it back later.

    Attributes:
        folder: where all files of the run are.
        model: in eval mode, with the priors that were fitted to it.
    """

    folder: Path
    model: SpatialVAE

    @property
    def journal(self) -> list[JournalLine]:
        """What was measured on the way, oldest first: means over some steps of training, and validations."""
        lines = read_journal(Run(self.folder).journal)
        return [JournalLine(line["images"], numbers_of(line)) for line in lines]

    @property
    def validation(self) -> dict[str, float]:
        """The last validation: `validation_bound`, `validation_reconstruction` and `validation_kl`, nats per image.

        Raises:
            UserError: the run was not validated yet.
        """
        measured = [line.values for line in self.journal if "validation_bound" in line.values]
        if not measured:
            raise UserError(f"{self.folder} has no validation in its journal: train it to its first checkpoint.")
        return measured[-1]

    def curves(self) -> dict[str, Curve]:
        """Every number of the journal over the images seen, by name; `validation_bound` is the one to look at."""
        lines = self.journal
        names = dict.fromkeys(name for line in lines for name in line.values)
        having = {name: [line for line in lines if name in line.values] for name in names}
        return {
            name: Curve(name, [line.images for line in some], [line.values[name] for line in some])
            for name, some in having.items()
        }

    @property
    def grids(self) -> list[Path]:
        """The pictures of samples and reconstructions at the checkpoints, oldest first."""
        return sorted(Run(self.folder).grids.glob("*.png"))

    @property
    def record(self) -> DataRecord | None:
        """What the model was trained on; None in a folder that does not say."""
        return Run(self.folder).record()

    @cached_property
    def images(self) -> ImageData:
        """The images that the model was trained on, opened again.

        Raises:
            UserError: the folder does not say which, they are arrays in memory, or they have changed since.
        """
        if self.record is None:
            raise UserError(f"{self.folder} does not say which images it was trained on: give `images`.")
        return self.record.reopened(self.folder)

    @property
    def _latent(self) -> str:
        """The latent with its options, or what the run's settings call one that has no name here."""
        latent = self.model.latent
        return self.model.config.latent if LATENTS.name_of(latent) is None else LATENTS.spell(latent)

    def __repr__(self) -> str:
        lines = [f"FinishedRun({str(self.folder)!r})", f"  {self._latent}"]
        if self.record is not None:
            lines.append(f"  trained on {self.record.words.replace('`', '')}")
        journal = self.journal
        if journal:
            last = journal[-1]
            numbers = (f"{name.replace('_', ' ')} {value:.1f}" for name, value in last.values.items())
            lines.append(f"  after {last.images:,} images: {', '.join(numbers)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"<pre>{html.escape(repr(self))}</pre>"]
        curve = self.curves().get("validation_bound")
        if curve is not None and len(curve.values) > 1:
            parts.append(_drawn(curve))
        for path in self.grids[-2:]:
            data = base64.b64encode(path.read_bytes()).decode("ascii")
            parts.append(f'<img alt="{html.escape(path.stem)}" src="data:image/png;base64,{data}">')
        return "\n".join(parts)


def open_run(
    folder: str | os.PathLike[str], *, device: torch.device | str = "cpu", like: SpatialVAE | None = None
) -> FinishedRun:
    """A run that was trained before, with its model on `device`.

    Args:
        folder: the run folder.
        device: where the model goes.
        like: a model with the same parts, for a run whose parts have no name here.

    Raises:
        UserError: no run in that folder, or a file of it is damaged.
    """
    path = Path(folder).expanduser()
    return FinishedRun(path, load(path, device, like=like))


def _drawn(curve: Curve) -> str:
    """A curve as a small picture of lines, with its name and its first and last value."""
    low, high = min(curve.values), max(curve.values)
    first, last = curve.images[0], curve.images[-1]
    points = " ".join(
        f"{EDGE + (WIDE - 2 * EDGE) * (seen - first) / max(1, last - first):.1f},"
        f"{HIGH - EDGE - (HIGH - 2 * EDGE) * (value - low) / max(1e-12, high - low):.1f}"
        for seen, value in zip(curve.images, curve.values, strict=True)
    )
    words = f"{curve.name.replace('_', ' ')}: {curve.values[0]:.1f} to {curve.values[-1]:.1f} nats"
    return (
        f'<figure><svg width="{WIDE}" height="{HIGH}" role="img" aria-label="{words}">'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="2"/></svg>'
        f"<figcaption>{words}</figcaption></figure>"
    )
