"""Data sets of the `datasets` library: from the Hugging Face hub, or saved to a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spatialvae.data.labels import class_name
from spatialvae.data.options import ImageOptions
from spatialvae.data.sources.files import AbstractFileSource, printable
from spatialvae.data.sources.parquet import CLASS_TYPES, LABEL_COLUMNS
from spatialvae.data.sources.source import AbstractSource, Record
from spatialvae.data.splits import split_called
from spatialvae.errors import UserError

__all__ = ["HubSource", "LoadedSource", "SavedSource", "is_saved"]

ROWS = 256  # read at a time


def is_saved(path: Path) -> bool:
    """Whether a folder was written by `save_to_disk` of a `Dataset` or a `DatasetDict`."""
    return (path / "dataset_dict.json").is_file() or all(
        (path / name).is_file() for name in ("state.json", "dataset_info.json")
    )


class AbstractLoaded(AbstractSource):
    """A `Dataset` or `DatasetDict` in memory; beside a train split, only validation and test are used.

    Its pictures are decoded here, so that a transform or a format of its own changes nothing.
    """

    kind: str

    def _open(self, loaded: Any, where: str) -> None:
        self._parts, self.passed_over = _parts(loaded, where)
        self.named = {name: split_called(name) for name in self._parts}
        self.total = sum(len(part) for part in self._parts.values())
        self.label_names = _all_label_names(self._parts)

    def identity(self, cache: Path) -> str:
        """The library's fingerprint of each split, which changes with its content, on the hub with its revision."""
        prints = [f"{name} {len(part)} {part._fingerprint}" for name, part in self._parts.items()]
        return "\n".join([self.kind, *prints])

    def records(self) -> Iterator[Record]:
        """Split by split, row by row."""
        return _records(self._parts)


class LoadedSource(AbstractLoaded):
    """A data set that a program holds."""

    def __init__(self, loaded: Any, name: str) -> None:
        self.name, self.kind = name, "loaded"
        self._open(loaded, name)


class HubSource(AbstractLoaded):
    """A data set of the hub. Code of the data set is never run; offline, the copy in the library's own cache serves."""

    def __init__(self, name: str, repository: str, implied: ImageOptions | None = None) -> None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
            raise UserError(f"'hub:{repository}' is not a data set of the hub: write hub:OWNER/NAME.")
        self.name, self.kind, self.implied = name, f"hub\n{repository}", implied or ImageOptions()
        self._open(_load(repository), f"hub:{repository}")


class SavedSource(AbstractFileSource):
    """A folder that `save_to_disk` wrote."""

    def __init__(self, path: Path) -> None:
        import datasets

        self.name = printable(path.resolve().name)
        self.files = [(file.relative_to(path).as_posix(), file) for file in sorted(path.rglob("*")) if file.is_file()]
        try:
            loaded = datasets.load_from_disk(str(path))
        except Exception as error:  # the library raises many kinds for a damaged folder
            raise UserError(f"'{path}' is a saved data set that cannot be read: {_first_line(error)}") from error
        self._parts, self.passed_over = _parts(loaded, str(path))
        self.named = {name: split_called(name) for name in self._parts}
        self.total = sum(len(part) for part in self._parts.values())
        self.label_names = _all_label_names(self._parts)

    def records(self) -> Iterator[Record]:
        """Split by split, row by row."""
        return _records(self._parts)


def _load(repository: str) -> Any:
    import datasets

    try:
        return datasets.load_dataset(repository)
    except Exception as error:  # no network, no such data set, no rights: many kinds from several libraries
        raise UserError(
            f"Data set '{repository}' could not be fetched from the Hugging Face hub: {_first_line(error)}\n"
            "Give the path of a local copy instead: a folder of pictures, parquet files or a saved data set."
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _parts(loaded: Any, where: str) -> tuple[dict[str, Any], dict[str, int]]:
    """Every split that counts, by the library's name, with pictures left encoded; the images of the others."""
    import datasets

    splits = dict(loaded) if isinstance(loaded, Mapping) else {"all": loaded}
    splits = {name: part for name, part in splits.items() if len(part)}
    others: dict[str, int] = {}
    if any(split_called(name) == "train" for name in splits):
        others = {f"images of the split {name}": len(part) for name, part in splits.items() if not split_called(name)}
    parts = {}
    for name, part in splits.items():
        if f"images of the split {name}" not in others:
            column = _image_column(part, where)
            parts[name] = part.with_format(None).cast_column(column, datasets.Image(decode=False))
    if not parts:
        raise UserError(f"'{where}' has no images.")
    return parts, others


def _image_column(part: Any, where: str) -> str:
    import datasets

    names = [name for name, feature in part.features.items() if isinstance(feature, datasets.Image)]
    if not names:
        raise UserError(f"'{where}' has no image column; its columns are {', '.join(part.column_names)}.")
    return next((name for name in ("image", "img") if name in names), names[0])


def _label_column(part: Any) -> str | None:
    """The column of the usual names that can hold classes, else the only one whose classes have names."""
    import datasets

    named = [name for name, kind in part.features.items() if isinstance(kind, datasets.ClassLabel)]
    plain = {name: kind.dtype for name, kind in part.features.items() if isinstance(kind, datasets.Value)}
    usual = [name for name in LABEL_COLUMNS if name in named or plain.get(name, "").startswith(CLASS_TYPES)]
    return usual[0] if usual else named[0] if len(named) == 1 else None


def _label_names(part: Any) -> list[str]:
    return list(getattr(part.features.get(_label_column(part)), "names", None) or ())


def _all_label_names(parts: Mapping[str, Any]) -> list[str]:
    """Those of all splits, numbered as the training split does."""
    order = sorted(parts, key=lambda name: split_called(name) != "train")
    return [*dict.fromkeys(label for name in order for label in _label_names(parts[name]))]


def _records(parts: Mapping[str, Any]) -> Iterator[Record]:
    for name, part in parts.items():
        image, label = _image_column(part, name), _label_column(part)
        names = _label_names(part)
        part = part.select_columns([image] if label is None else [image, label])
        row = 0
        for batch in part.iter(batch_size=ROWS):
            labels = batch[label] if label else [None] * len(batch[image])
            for picture, value in zip(batch[image], labels, strict=True):
                value = class_name(value, names) if names else value  # another split may number them otherwise
                yield Record(f"{name} row {row}", _content(picture), value, split_called(name))
                row += 1


def _content(picture: Mapping[str, Any] | None) -> bytes | Path | None:
    """The bytes, or the file that the library fetched them into."""
    if picture is None:
        return None
    if picture["bytes"] is not None:
        return picture["bytes"]
    return Path(picture["path"]) if picture.get("path") else None
