"""What a pass over a source tells of its images: `info.json` of a cache entry holds it."""

from __future__ import annotations

from dataclasses import dataclass

from spatialvae.data.notes import Seen

__all__ = ["Description", "SplitDescription"]


@dataclass(frozen=True)
class SplitDescription:
    """How many images a split has, and whether any of them has a label."""

    count: int
    labels: bool


@dataclass(frozen=True)
class Description:
    """Sizes, splits and classes of prepared images, and what a user should know of them: see `ImageData`."""

    height: int
    width: int
    channels: int
    splits: dict[str, SplitDescription]
    carved: tuple[str, ...]
    channel_means: list[float]
    skipped: int
    duplicates: dict[str, int]
    seen: Seen
    label_names: list[str] | None
