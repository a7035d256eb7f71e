"""What the numbers of an evaluation depend on: data, images, networks, seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spatialvae.records import OMITTED, REST

__all__ = ["NetworkDescription", "Provenance"]


@dataclass(frozen=True)
class NetworkDescription:
    """Which network a metric's numbers rest on.

    >>> NetworkDescription("vgg16", "0a")
    NetworkDescription(name='vgg16', sha256='0a', title=None, dimension=None, resize=None)
    """

    name: str
    sha256: str
    title: str | None = field(default=None, metadata=OMITTED)
    """What the Fréchet distance on its features is called; None for a network of distances."""
    dimension: int | None = field(default=None, metadata=OMITTED)
    """Features an image; None where they could not be computed."""
    resize: str | None = field(default=None, metadata=OMITTED)
    """What is done to the images first, in words."""


@dataclass(frozen=True)
class Provenance:
    """Which images were measured, how they were prepared, and with what."""

    data: str
    fingerprint: str
    crop: str
    image_size: tuple[int, int]
    """Height and width, pixels."""
    resize: str
    split: str
    images: int
    """How many of the split's images were used."""
    of: int
    """How many images the split has."""
    seed: int
    intervals: str
    """What standard errors are over, in words."""
    features: NetworkDescription | None = field(default=None, metadata=OMITTED)
    lpips: NetworkDescription | None = field(default=None, metadata=OMITTED)
    generated: int | None = field(default=None, metadata=OMITTED)
    """Samples drawn from each prior."""
    steps: int | None = field(default=None, metadata=OMITTED)
    """Solver steps of draws by flow matching, where they are not the prior's own."""
    guidance: float | None = field(default=None, metadata=OMITTED)
    """How strongly classes pulled in these draws."""
    set: int | None = field(default=None, metadata=OMITTED)
    """Images in the set that was measured, where it is no model."""
    paired: str | None = field(default=None, metadata=OMITTED)
    """How the images of a set were paired with the split's, in words."""
    details: Mapping[str, object] = field(default_factory=dict, metadata=REST)
    """What a metric says of its own making, by the metric's key: a JSON object each."""
