"""Parquet files with a column of pictures, such as the `datasets` library writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from spatialvae.data.labels import class_name
from spatialvae.data.sources.columns import ImageColumn, image_column, names_files
from spatialvae.data.sources.files import AbstractFileSource, printable
from spatialvae.data.sources.source import Record
from spatialvae.data.sources.walk import Below
from spatialvae.data.splits import splits_of
from spatialvae.errors import UserError

__all__ = ["CLASS_TYPES", "LABEL_COLUMNS", "ParquetSource", "has_pictures"]

LABEL_COLUMNS = ("label", "labels", "class", "fine_label")
CLASS_TYPES = ("int", "uint", "bool", "half", "float", "double", "string", "large_string")  # as types are spelled
ROWS = 256  # read at a time


class ParquetSource(AbstractFileSource):
    """One parquet file, or all below a folder, where `train-*.parquet`, `test/*.parquet` name splits."""

    def __init__(self, path: Path, below: Below | None = None) -> None:
        self.name = printable(path.resolve().name if below else path.stem)
        self.tables = list(below.tables.items()) if below else [("", path)]
        self._split_of = splits_of({name: PurePosixPath(name).parts for name, _ in self.tables})
        self.named = {printable(name): split for name, split in self._split_of.items()}
        self.passed_over = below.passed_over if below else {}
        self._look_inside()

    def _look_inside(self) -> None:
        self.total, names = 0, dict[str, None]()
        pictures: dict[str, Path] = {}
        for name, path in sorted(self.tables, key=lambda table: self._split_of[table[0]] != "train"):
            file = _open(path)
            self.total += file.metadata.num_rows
            pictures.update(_named_pictures(file, name, path))
            names |= dict.fromkeys(_label_names(file.schema_arrow))
        self.files = [*self.tables, *pictures.items()]
        self.label_names = list(names)

    def records(self) -> Iterator[Record]:
        """File by file in the order of their names, row by row."""
        for name, path in self.tables:
            file = _open(path)
            image, label = _image_column(file.schema_arrow, path), _label_column(file.schema_arrow)
            columns = [image.name] if label is None else [image.name, label]
            names = _label_names(file.schema_arrow)
            row = 0
            for batch in _batches(file, columns, path):
                pictures = batch.column(image.name).to_pylist()
                labels: list[Any] = batch.column(label).to_pylist() if label else [None] * len(pictures)
                for picture, value in zip(pictures, labels, strict=True):
                    content = image.content(picture, path)
                    value = class_name(value, names) if names else value  # another file may number them otherwise
                    yield Record(printable(f"{name or path.name} row {row}"), content, value, self._split_of[name])
                    row += 1


def has_pictures(path: Path) -> bool:
    """Whether a file is a parquet file with a column of pictures."""
    try:
        return image_column(_open(path).schema_arrow) is not None
    except UserError:
        return False


def _named_pictures(file: Any, table: str, path: Path) -> dict[str, Path]:
    """The files that the rows name, which are part of what the source is: table and path to file."""
    column = image_column(file.schema_arrow)
    if column is None or not names_files(file, column):
        return {}
    contents: dict[str, Path] = {}
    for batch in _batches(file, [column.name], path):
        for value in batch.column(column.name).to_pylist():
            if isinstance(content := column.content(value, path), Path):
                contents[f"{table}: {value['path']}"] = content
    return contents


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


def _image_column(schema: Any, path: Path) -> ImageColumn:
    if column := image_column(schema):
        return column
    raise UserError(
        f"'{path}' has no image column: one of encoded pictures (binary), or a struct with 'bytes' or 'path'. Its "
        f"columns are {', '.join(schema.names)}."
    )


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
        names_of = {column: feature.get("names") for column, feature in features.items() if isinstance(feature, dict)}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return {column: [str(name) for name in names] for column, names in names_of.items() if isinstance(names, list)}
