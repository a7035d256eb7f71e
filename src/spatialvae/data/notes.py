"""What a user should know of the images before a number is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spatialvae.data.picture import Picture
from spatialvae.errors import UserError

__all__ = ["Seen", "notes_of"]


@dataclass
class Seen:
    """Over all pictures: how many have frames or pages left out, how many have 16 bits, and the largest value of these.

    >>> seen = Seen(sixteen=3, peak=4095)
    >>> seen.notes()
    ['no value is above 4095 of 65535 in 3 pictures of 16 bits: scale them first if their white is there']
    """

    frames: int = 0
    sixteen: int = 0
    peak: int = 0

    def add(self, picture: Picture) -> None:
        """Count one picture."""
        self.frames += picture.frames
        if picture.peak is not None:
            self.sixteen += 1
            self.peak = max(self.peak, picture.peak)

    def check(self, name: str) -> None:
        """`UserError` when 8 bits were put into 16, which makes every picture black."""
        if self.sixteen and 0 < self.peak <= 255:
            raise UserError(
                f"No value is above {self.peak} of 65535 in the {_counted(self.sixteen, 'picture')} of 16 bits of "
                f"'{name}': all would be black.\nSave them with 8 bits, or scale them to 65535."
            )

    def notes(self) -> list[str]:
        """A sentence for what may not be meant."""
        notes = []
        if self.frames:
            notes.append(f"the first frame or page is taken of {_counted(self.frames, 'picture')} with more than one")
        if self.sixteen and self.peak < 4096:
            notes.append(
                f"no value is above {self.peak} of 65535 in {_counted(self.sixteen, 'picture')} of 16 bits: scale them "
                "first if their white is there"
            )
        return notes


def notes_of(passed_over: Mapping[str, int], skipped: int, duplicates: Mapping[str, int], seen: Seen) -> list[str]:
    """All notes on a prepared source.

    >>> notes_of({".jxl": 2, ".tga": 1}, 0, {"test in train": 62}, Seen())
    ['passed over: 3 files (.jxl 2, .tga 1)', 'duplicates: 62 images of test are pixel for pixel in train too']
    """
    notes = []
    files = {kind: count for kind, count in passed_over.items() if not kind.startswith("images ")}
    if files:
        kinds = ", ".join(
            f"{kind} {count}" for kind, count in sorted(files.items(), key=lambda pair: (-pair[1], pair[0]))
        )
        notes.append(f"passed over: {_counted(sum(files.values()), 'file')} ({kinds})")
    notes += [f"passed over: {count} {kind}" for kind, count in passed_over.items() if kind not in files]
    if skipped:
        notes.append(f"skipped: {skipped} pictures that cannot be read")
    for pair, count in duplicates.items():
        name, other = pair.split(" in ")
        notes.append(f"duplicates: {_counted(count, 'image')} of {name} are pixel for pixel in {other} too")
    return notes + seen.notes()


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
