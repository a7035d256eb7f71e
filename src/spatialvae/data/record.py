"""What a model was trained on, as a run folder keeps it: enough to open the same images again, and to know them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spatialvae import records
from spatialvae.data.dataset import ImageData
from spatialvae.data.options import DEFAULTS, ImageOptions
from spatialvae.data.prepare import OtherImages, prepare
from spatialvae.errors import UserError

__all__ = ["DataRecord"]


@dataclass(frozen=True)
class DataRecord:
    """The source of prepared images, what was done to them, and their fingerprint.

    - `source`: a known name, `hub:OWNER/NAME`, an absolute path, or None for arrays in memory.
    - `options`: all that they were prepared with, what a name such as celeba implies included.
    - `images`: how many images each split has.

    >>> record = DataRecord("digits", "digits", ImageOptions(image_size=(16, 16)), "0a", {"train": 1620})
    >>> record.words, records.parse(DataRecord, records.as_json(record), "data.json") == record
    ('digits `image_size` 16x16', True)
    """

    source: str | None
    name: str
    options: ImageOptions
    fingerprint: str
    images: dict[str, int]

    @classmethod
    def of(cls, data: ImageData) -> DataRecord:
        """The record of these images."""
        counts = {name: len(split) for name, split in data.splits.items()}
        return cls(data.source, data.name, data.options, data.fingerprint, counts)

    @classmethod
    def read(cls, path: Path) -> DataRecord | None:
        """The record in a file, or None where there is no file.

        Raises:
            UserError: a file that is no such record, or that names options which do not exist.
        """
        return records.read(cls, path) if path.exists() else None

    def reopened(self, folder: Path, *, progress: bool = False) -> ImageData:
        """The same images, opened again.

        Args:
            folder: of the run, for messages.
            progress: whether a bar on stderr shows how far it is.

        Raises:
            UserError: they were arrays in memory, or have changed since.
        """
        if self.source is None:
            raise UserError(f"{folder} was trained on arrays in memory, which no file holds: give `images`.")
        try:
            return prepare(self.source, self.options, progress=progress, expected=self.fingerprint)
        except OtherImages:
            raise UserError(f"{folder} was trained on {self.words}, which has changed since: give `images`.") from None

    @property
    def settings(self) -> dict[str, Any]:
        """The same in the words of the settings: data, image_size, crop, layout, skip_bad_images, channels."""
        size = self.options.image_size
        spelled = None if size is None else f"{size[0]}x{size[1]}"
        return {"data": self.source, **asdict(self.options), "image_size": spelled}

    @property
    def words(self) -> str:
        """The source and the options that are not the defaults, as a message names settings."""
        words = [self.source or "arrays in memory"]
        for name, value in self.settings.items():
            if name != "data" and value != getattr(DEFAULTS, name):
                words += [f"`{name}`", *([] if value is True else [str(value)])]
        return " ".join(words)
