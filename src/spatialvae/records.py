"""Frozen dataclasses to JSON and back, by their type hints: results are dictionaries in files alone."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from spatialvae._version import __version__
from spatialvae.errors import UserError

__all__ = ["APART", "OMITTED", "REST", "Record", "as_json", "called", "parse", "read", "refuse_newer"]

APART: Mapping[str, bool] = {"apart": True}
"""Metadata of a field that JSON does not hold, such as a tensor: neither written nor read; it needs a default."""
OMITTED: Mapping[str, bool] = {"omitted": True}
"""Metadata of a field that is left out of the JSON where it is None."""
REST: Mapping[str, bool] = {"rest": True}
"""Metadata of a field, a dict, that holds all other entries of the same JSON object."""


def called(key: str) -> Mapping[str, str]:
    """Metadata of a field whose key in JSON is not its name."""
    return {"key": key}


class Record(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


T = TypeVar("T", bound=Record)


def as_json(record: Record) -> dict[str, Any]:
    """A dataclass as a JSON object: its fields in order, nested dataclasses too, tuples as lists.

    >>> from dataclasses import dataclass, field
    >>> @dataclass(frozen=True)
    ... class Size:
    ...     sides: tuple[int, ...]
    ...     unit: str | None = field(default=None, metadata=OMITTED)
    >>> as_json(Size((2, 3)))
    {'sides': [2, 3]}
    """
    values: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if "rest" in field.metadata:
            values = {**_plain(value), **values}  # a field of that name wins
        elif "apart" not in field.metadata and not ("omitted" in field.metadata and value is None):
            values[_key(field)] = _plain(value)
    return values


def parse(kind: type[T], value: object, where: str) -> T:
    """A dataclass from the JSON value of `as_json`.

    What is missing takes the field's default, or None where the type allows that; entries without a field are ignored,
    or gathered in the field with the metadata `REST`. Understood are dataclasses, `X | None`, literals, lists, tuples,
    dictionaries with strings as keys, bool, int, float (a whole number too), str, and `object` for any JSON.

    Args:
        kind: the dataclass.
        value: a JSON value, as the json module reads it.
        where: the file's name, for the message.

    Raises:
        UserError: a value of another type, or a missing one.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Point:
    ...     x: float
    ...     name: str | None
    >>> parse(Point, {"x": 1, "more": []}, "point.json")
    Point(x=1.0, name=None)
    >>> parse(Point, {"x": "one"}, "point.json")
    Traceback (most recent call last):
    spatialvae.errors.UserError: point.json is damaged (x is "one" and not a number): copy it again, or delete it.
    """
    try:
        return _record(kind, value, "")
    except _Mismatch as error:
        raise UserError(f"{where} is damaged ({error}): copy it again, or delete it.") from None


def read(kind: type[T], path: Path, *, format: int | None = None) -> T:
    """A dataclass from a JSON file; where its kind has formats, of one up to `format`.

    Raises:
        UserError: a file that is not there, that is no JSON, that has a newer format or does not fit the dataclass.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise UserError(f"{path} is not valid JSON: copy it again.") from None
    if format is not None:
        refuse_newer(value, format, str(path))
    return parse(kind, value, str(path))


def refuse_newer(value: object, known: int, where: str) -> None:
    """Refuse the content of a file whose `format` is above the one that this version of the program writes.

    >>> refuse_newer({"format": 2}, 2, "comparison.json")

    Raises:
        UserError: with both formats.
    """
    written = value.get("format") if isinstance(value, Mapping) else None
    if isinstance(written, int) and written > known:
        raise UserError(
            f"{where} has format {written}, and spatialvae {__version__} reads formats up to {known}: "
            "update spatialvae."
        )


class _Mismatch(Exception):
    """Where a value does not fit its type, and how."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place or 'the whole'} {message}")


def _key(field: Field[Any]) -> str:
    return field.metadata.get("key", field.name)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _record(kind: Any, value: object, place: str) -> Any:
    if not isinstance(value, dict):
        raise _mismatch(place, value, "an object")
    hints, given = _hints(kind), {}
    known = {_key(field) for field in fields(kind) if not {"apart", "rest"} & field.metadata.keys()}
    for field in fields(kind):
        key = _key(field)
        inside = f"{place}.{key}" if place else key
        if "rest" in field.metadata:
            given[field.name] = {name: part for name, part in value.items() if name not in known}
        elif key in known and key in value:
            given[field.name] = _value(hints[field.name], value[key], inside)
        elif field.default is MISSING and field.default_factory is MISSING:
            if not _optional(hints[field.name]):
                raise _Mismatch(inside, "is missing")
            given[field.name] = None
    return kind(**given)


def _optional(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)


def _value(hint: Any, value: object, place: str) -> Any:
    """`value` as the type `hint`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in (object, Any):
        return value
    if origin in (Union, types.UnionType):
        return _one_of(arguments, value, place)
    if origin is Literal:
        return _choice(arguments, value, place)
    if origin in (list, tuple, Sequence):
        return _sequence(origin, arguments, value, place)
    if origin in (dict, Mapping):
        return _mapping(arguments[1], value, place)
    return _record(hint, value, place) if is_dataclass(hint) else _scalar(hint, value, place)


def _one_of(hints: tuple[Any, ...], value: object, place: str) -> Any:
    if value is None and type(None) in hints:
        return None
    choices = [hint for hint in hints if hint is not type(None)]
    for hint in choices[:-1]:
        try:
            return _value(hint, value, place)
        except _Mismatch:
            continue
    return _value(choices[-1], value, place)


def _choice(choices: tuple[Any, ...], value: object, place: str) -> object:
    if value not in choices:
        raise _mismatch(place, value, f"one of {', '.join(json.dumps(choice) for choice in choices)}")
    return value


def _mapping(hint: Any, value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _mismatch(place, value, "an object")
    return {key: _value(hint, part, f"{place}.{key}") for key, part in value.items()}


def _sequence(origin: Any, arguments: tuple[Any, ...], value: object, place: str) -> Any:
    if not isinstance(value, list):
        raise _mismatch(place, value, "a list")
    fixed = origin is tuple and Ellipsis not in arguments
    if fixed and len(arguments) != len(value):
        raise _mismatch(place, value, f"a list of {len(arguments)}")
    hints = arguments if fixed else [arguments[0]] * len(value)
    parts = [
        _value(hint, part, f"{place}.{index}") for index, (hint, part) in enumerate(zip(hints, value, strict=True))
    ]
    return parts if origin is list else tuple(parts)


def _scalar(hint: Any, value: object, place: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    raise _mismatch(place, value, words.get(hint, getattr(hint, "__name__", str(hint))))


def _mismatch(place: str, value: object, wanted: str) -> _Mismatch:
    text = json.dumps(value, ensure_ascii=False)
    return _Mismatch(place, f"is {text if len(text) <= 40 else f'{text[:37]}...'} and not {wanted}")
