"""What a model was trained on, as a run folder keeps it: enough to open the same images again, and to know them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from spatialvae.data.dataset import ImageData
from spatialvae.data.options import ImageOptions
from spatialvae.errors import UserError

__all__ = ["DataRecord"]


@dataclass(frozen=True)
class DataRecord:
    """The source of prepared images, what was done to them, and their fingerprint.

    - `source`: a known name, `hub:OWNER/NAME`, an absolute path, or None for arrays in memory.
    - `options`: all that they were prepared with, what a name such as celeba implies included.
    - `images`: how many images each split has.

    >>> record = DataRecord("digits", "digits", ImageOptions(image_size=(16, 16)), "0a", {"train": 1620})
    >>> record.told, DataRecord.parse(TypeAdapter(DataRecord).dump_json(record).decode(), "data.json") == record
    ('digits --image-size 16x16', True)
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
    def parse(cls, text: str, where: str) -> DataRecord:
        """A record from the JSON text of `as_dict`.

        Raises:
            UserError: text that is no such record, or that names options which do not exist.
        """
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            raise UserError(f"{where} is damaged ({place}: {first['msg']}): copy it again, or delete it.") from None

    @classmethod
    def read(cls, path: Path) -> DataRecord | None:
        """The record in a file, or None where there is no file; `UserError` when it is damaged."""
        try:
            return cls.parse(path.read_text(), str(path))
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise UserError(f"{path} is damaged (no text): copy it again, or delete it.") from None

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON has it."""
        return asdict(self)

    @property
    def settings(self) -> dict[str, Any]:
        """The same in the words of the settings: data, image_size, crop, layout, skip_bad_images, channels."""
        size = self.options.image_size
        spelled = None if size is None else f"{size[0]}x{size[1]}"
        return {"data": self.source, **asdict(self.options), "image_size": spelled}

    @property
    def told(self) -> str:
        """The source and, as flags, the options that are not the defaults."""
        words = [self.source or "arrays in memory"]
        for name, value in self.settings.items():
            if name != "data" and value != getattr(ImageOptions(), name):
                words += ["--" + name.replace("_", "-"), *([] if value is True else [str(value)])]
        return " ".join(words)
