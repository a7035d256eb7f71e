"""Which column of a parquet file holds the pictures, and what one of its values is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialvae.errors import UserError

__all__ = ["ImageColumn", "image_column", "names_files"]

USUAL_NAMES = ("image", "img", "picture", "jpg", "png", "bytes")


@dataclass(frozen=True)
class ImageColumn:
    """A column of pictures: encoded bytes, or a struct with them in `bytes`, a file's name in `path`, or both."""

    name: str
    parts: frozenset[str]

    def content(self, value: Any, table: Path) -> bytes | Path | None:
        """The picture of one row: its bytes, or the file that it names, which lies below the table's own folder.

        `UserError` for a file elsewhere: a table from somewhere must not choose files of this machine.
        """
        if not self.parts or value is None:
            return value
        if (content := value.get("bytes")) is not None or not value.get("path"):
            return content
        folder = table.parent.resolve()
        path = folder / value["path"]
        if not path.resolve().is_relative_to(folder):
            raise UserError(
                f"'{table}' names the picture {value['path']}, which does not lie below the table's own folder. "
                "Put the pictures beside the table."
            )
        return path


def image_column(schema: Any) -> ImageColumn | None:
    """The column of pictures of an Arrow schema; of several the one with a usual name, else the first struct.

    >>> import pyarrow as pa
    >>> image_column(pa.schema([("img", pa.binary()), ("mask", pa.binary())]))
    ImageColumn(name='img', parts=frozenset())
    """
    columns = [ImageColumn(field.name, parts) for field in schema if (parts := _picture_parts(field.type)) is not None]
    usual = [column for name in USUAL_NAMES for column in columns if column.name.lower() == name]
    structs = [column for column in columns if "bytes" in column.parts]
    if usual or structs:
        return (usual or structs)[0]
    return columns[0] if len(columns) == 1 else None


def _picture_parts(kind: Any) -> frozenset[str] | None:
    import pyarrow as pa

    if _is_bytes(kind):
        return frozenset()
    if not pa.types.is_struct(kind):
        return None
    fields = {kind[place].name: kind[place].type for place in range(kind.num_fields)}
    parts = {
        name for name, right in (("bytes", _is_bytes), ("path", _is_text)) if name in fields and right(fields[name])
    }
    return frozenset(parts) or None


def _is_bytes(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def names_files(file: Any, column: ImageColumn) -> bool:
    """Whether some row of an open parquet file has a path and no bytes, by the statistics where they are there."""
    if "path" not in column.parts:
        return False
    if "bytes" not in column.parts:
        return True
    return any(_nulls(file.metadata.row_group(group), f"{column.name}.bytes") for group in range(file.num_row_groups))


def _nulls(group: Any, leaf: str) -> bool:
    """Whether a column of a row group has missing values; without statistics it may."""
    for place in range(group.num_columns):
        if group.column(place).path_in_schema == leaf:
            statistics = group.column(place).statistics
            return statistics is None or not statistics.has_null_count or statistics.null_count > 0
    return True
