"""What a baseline reaches, with its errors and what it was fitted to; several of them as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Literal

from torch import Tensor

from spatialvae.data.subset import spell_subset
from spatialvae.estimate import Estimate, spell
from spatialvae.records import APART, OMITTED

__all__ = ["LinearBaseline", "LinearBaselines"]

SATURATED = 0.05
"""A share of black and white pixels from which densities and masses of 8-bit values are too far apart to compare."""


@dataclass(frozen=True, repr=False)
class LinearBaseline:
    """A linear model fitted to training images by maximum likelihood, measured on others.

    >>> LinearBaseline("ppca", 150, 150, Estimate(6.318, 0.004, 10_000), Estimate(0.0045, 2e-5, 10_000), 47_538, 3072)
    probabilistic PCA, 150 numbers: 6.3180 ± 0.0040 bits per dim, squared error 0.004500 ± 0.000020
    """

    kind: Literal["pixel-gaussian", "ppca"]
    asked: int | None
    """The numbers of a code that were asked for; None for the Gaussian over the pixels, which has no code."""
    numbers: int | None
    """Those of the model, fewer where they do not divide evenly among the tiles of an image."""
    bits_per_dim: Estimate
    """E_n[-log2 p(x + n)] / D, n uniform on [0, 1): it bounds the code length of the 8-bit image from above."""
    mse: Estimate | None
    """Of the image that E[z|x] decodes to, rounded to 8 bits, pixels in [0, 1]; None without a code."""
    train_images: int
    dimensions: int
    """Numbers of an image, D."""
    tiles: int = 1
    """Into how many parts an image was cut, modelled as independent."""
    tile_size: tuple[int, int] | None = field(default=None, metadata=OMITTED)
    """Height and width of a part; None where the image is whole."""
    saturated: float = 0.0
    """Share of the measured images' numbers that are 0 or 255."""
    values: Mapping[str, Tensor] = field(default_factory=dict, metadata=APART)
    """`bits_per_dim` and `mse`, one value an image, float64 [n]."""

    @property
    def title(self) -> str:
        """What model it is, in words."""
        if self.numbers is None:
            return "one Gaussian over the pixels, full covariance"
        return f"probabilistic PCA, {self.numbers:,} numbers"

    @property
    def notes(self) -> list[str]:
        """What to know of the fit, a sentence each; none for whole images of which there are many.

        >>> one = Estimate(9.0, None, 1)
        >>> LinearBaseline("pixel-gaussian", None, None, one, None, 40, 64).notes
        ['40 training images of 64 numbers are too few for a covariance that holds for other images']
        """
        notes = []
        if self.tile_size is not None:
            height, width = self.tile_size
            notes.append(
                f"images of {self.dimensions:,} numbers are cut into {self.tiles:,} tiles of {height}x{width}, which "
                "share one covariance, each with a mean of its own; the numbers of a code are shared out equally"
            )
        if self.asked != self.numbers:
            notes.append(
                f"{self.asked:,} numbers do not divide evenly among {self.tiles:,} tiles: it has {self.numbers:,}"
            )
        if self.train_images * self.tiles <= self.dimensions // self.tiles:
            notes.append(
                f"{self.train_images:,} training images of {self.dimensions:,} numbers are too few for a covariance "
                "that holds for other images"
            )
        if self.saturated > SATURATED:
            notes.append(
                f"{self.saturated:.0%} of the pixels are 0 or 255, whose bins reach to infinity for a model's mass "
                "and not for a density: the bits per dim of linear models are too high beside a model's here; compare "
                "squared errors"
            )
        return notes

    def __repr__(self) -> str:
        error = "" if self.mse is None else f", squared error {spell(self.mse)}"
        return f"{self.title}: {spell(self.bits_per_dim)} bits per dim{error}"


@dataclass(frozen=True, repr=False)
class LinearBaselines:
    """Several baselines of the same images. Printed, they are a table; in a notebook too."""

    data: str
    fingerprint: str
    split: str
    images: int
    """How many of the split's images were used."""
    of: int
    """How many images the split has."""
    seed: int
    """Of the draw of the images, where not all are used."""
    models: tuple[LinearBaseline, ...]

    @property
    def notes(self) -> list[str]:
        """Those of all models, once each."""
        return list(dict.fromkeys(note for model in self.models for note in model.notes))

    @property
    def heading(self) -> str:
        """On which images they were measured, and to which they were fitted."""
        used = spell_subset(self.images, self.of, self.seed)
        fitted = f"{self.models[0].train_images:,} training images"
        return f"{self.data}, {self.split}, {used}; fitted to {fitted}; ± over images"

    def table(self) -> list[tuple[str, str, str]]:
        """A row a model: its title, bits per dim and squared error."""
        return [(one.title, spell(one.bits_per_dim), "–" if one.mse is None else spell(one.mse)) for one in self.models]

    def __repr__(self) -> str:
        rows = [("model", "bits per dim", "squared error"), *self.table()]
        first, second = (max(len(row[place]) for row in rows) for place in (0, 1))
        lines = [f"  {title:<{first}}  {bits:>{second}}  {error}" for title, bits, error in rows]
        return "\n".join([self.heading, *lines, *(f"  ! {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        head = "<tr><th>model</th><th>bits per dim</th><th>squared error</th></tr>"
        rows = "".join(
            f"<tr><th>{escape(title)}</th><td>{escape(bits)}</td><td>{escape(error)}</td></tr>"
            for title, bits, error in self.table()
        )
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        table = f"<table><caption>{escape(self.heading)}</caption>{head}{rows}</table>"
        return f"{table}<ul>{notes}</ul>" if notes else table
