"""Parquet files in the image layout of the `datasets` library: a struct {bytes, path} and plain columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spatialvae.data.labels import class_name
from spatialvae.data.sources.files import AbstractFileSource
from spatialvae.data.sources.source import Record
from spatialvae.data.splits import split_called
from spatialvae.errors import UserError

__all__ = ["CLASS_TYPES", "LABEL_COLUMNS", "ParquetSource"]

LABEL_COLUMNS = ("label", "labels", "class", "fine_label")
CLASS_TYPES = ("int", "uint", "bool", "half", "float", "double", "string", "large_string")  # as types are spelled
ROWS = 256  # read at a time


class ParquetSource(AbstractFileSource):
    """One parquet file, or all below a folder, where `train-*.parquet`, `test/*.parquet` name splits."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem if path.is_file() else path.resolve().name
        if path.is_file():
            self.files = [("", path)]
        else:
            paths = sorted(file for file in path.rglob("*.parquet") if not file.name.startswith("."))
            self.files = [(file.relative_to(path).as_posix(), file) for file in paths]
        self._split_of = {name: _split_of(name) for name, _ in self.files}
        self.splits = frozenset(split for split in self._split_of.values() if split)
        unnamed = [name for name, split in self._split_of.items() if split is None]
        if "train" in self.splits and unnamed:
            raise UserError(
                f"'{path}' has files for training and others of no known split, for instance {unnamed[0]}.\n"
                "Name them train-*.parquet, validation-*.parquet or test-*.parquet, or give one file."
            )
        self._look_inside()

    def _look_inside(self) -> None:
        self.total, names = 0, dict[str, None]()
        for _, path in sorted(self.files, key=lambda file: self._split_of[file[0]] != "train"):
            file = _open(path)
            self.total += file.metadata.num_rows
            names |= dict.fromkeys(_label_names(file.schema_arrow))
        self.label_names = list(names)

    def records(self) -> Iterator[Record]:
        """File by file in the order of their names, row by row."""
        for name, path in self.files:
            file = _open(path)
            image, label = _image_column(file.schema_arrow, path), _label_column(file.schema_arrow)
            columns, names = [image] if label is None else [image, label], _label_names(file.schema_arrow)
            row = 0
            for batch in _batches(file, columns, path):
                pictures = batch.column(image).to_pylist()
                labels: list[Any] = batch.column(label).to_pylist() if label else [None] * len(pictures)
                for picture, value in zip(pictures, labels, strict=True):
                    content = picture["bytes"] if picture else None
                    value = class_name(value, names) if names else value  # another file may number them otherwise
                    yield Record(f"{name or path.name} row {row}", content, value, self._split_of[name])
                    row += 1


def _split_of(name: str) -> str | None:
    """From `train-00000-of-00005.parquet`, `data/test.parquet` or `val/0.parquet`."""
    for part in Path(name).parts[::-1]:
        if split := split_called(re.split(r"[-_.]", part)[0]):
            return split
    return None


def _open(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"'{path}' is not a readable parquet file: {str(error).splitlines()[0]}") from error


def _batches(file: Any, columns: list[str], path: Path) -> Iterator[Any]:
    import pyarrow as pa

    try:
        yield from file.iter_batches(batch_size=ROWS, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"'{path}' is damaged: {str(error).splitlines()[0]}") from error


def _image_column(schema: Any, path: Path) -> str:
    import pyarrow as pa

    found = [
        field.name
        for field in schema
        if pa.types.is_struct(field.type)
        and (place := field.type.get_field_index("bytes")) >= 0
        and (pa.types.is_binary(field.type[place].type) or pa.types.is_large_binary(field.type[place].type))
    ]
    if not found:
        raise UserError(
            f"'{path}' has no image column (a struct with the field 'bytes'): its columns are "
            f"{', '.join(schema.names)}."
        )
    return next((name for name in ("image", "img") if name in found), found[0])


def _label_column(schema: Any) -> str | None:
    """The column of the usual names that can hold classes, else the only one whose classes have names."""
    import pyarrow as pa

    types = {name: schema.field(name).type for name in LABEL_COLUMNS if name in schema.names}
    types = {name: kind.value_type if pa.types.is_dictionary(kind) else kind for name, kind in types.items()}
    usual = [name for name, kind in types.items() if str(kind).startswith(CLASS_TYPES)]
    named = [name for name in _class_names(schema) if name in schema.names]
    return usual[0] if usual else named[0] if len(named) == 1 else None


def _label_names(schema: Any) -> list[str]:
    return _class_names(schema).get(_label_column(schema) or "", [])


def _class_names(schema: Any) -> dict[str, list[str]]:
    """Columns of named classes with the names that the `datasets` library writes beside the schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        found = {column: feature.get("names") for column, feature in features.items() if isinstance(feature, dict)}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return {column: [str(name) for name in names] for column, names in found.items() if isinstance(names, list)}
